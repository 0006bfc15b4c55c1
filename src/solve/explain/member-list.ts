import type { Digest } from '../../blob/index.ts';

/** One thing that the digest of a content was made of: its path, the digest of its bytes if it has any, and in words what else counts. */
export interface Member {
  readonly path: string;
  readonly digest?: Digest | undefined;
  /** `file 0644`, `symlink -> b`. */
  readonly about: string;
}

export interface MemberChange {
  readonly path: string;
  readonly change: 'changed' | 'added' | 'removed';
  readonly before?: Omit<Member, 'path'> | undefined;
  readonly after?: Omit<Member, 'path'> | undefined;
}

/** How two lists differ: how many paths in each way, and these (or the first of them) in order. */
export interface MemberChanges {
  readonly changed: number;
  readonly added: number;
  readonly removed: number;
  readonly paths: readonly MemberChange[];
}

/** Members of one piece at most. */
const LONGEST = 1024;
/** A piece ends where the hash of a path's end has these bits zero: after 256 paths, on average. */
const BOUNDARY = 0xff;
const SHA256 = 'sha256:';
const SHA256_LENGTH = 71;

/**
 * A list of members as pieces of bytes. Where a piece ends depends on its last path alone, so that two lists that differ in a few members share all other pieces. A piece: the length of its text (4 bytes, big endian), the text,
 * then 32 bytes for each digest. Text: for each member its path, NUL, `+` with a digest or `-` without, `about` where it is another one than the member's before, NUL.
 */
export function* piecesOf(members: Iterable<Member>): Iterable<Uint8Array> {
  let text = '';
  let about: string | undefined;
  let digests = '';
  let count = 0;
  const piece = (): Uint8Array => {
    const length = Buffer.byteLength(text);
    const bytes = Buffer.allocUnsafe(4 + length + digests.length / 2);
    bytes.writeUInt32BE(length);
    bytes.write(text, 4, 'utf8');
    bytes.write(digests, 4 + length, 'hex');
    text = '';
    about = undefined;
    digests = '';
    count = 0;
    return bytes;
  };
  for (const member of members) {
    const { digest } = member;
    const short = digest?.length === SHA256_LENGTH && digest.startsWith(SHA256);
    const words = digest === undefined || short ? member.about : `${member.about} ${digest}`;
    text += `${member.path}\0${short ? '+' : '-'}${words === about ? '' : words}\0`;
    about = words;
    if (short) digests += digest.slice(SHA256.length);
    count += 1;
    if (count >= LONGEST || (hash(member.path) & BOUNDARY) === 0) yield piece();
  }
  if (count > 0) yield piece();
}

export function membersOf(piece: Uint8Array): Member[] {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
  let at = 4 + bytes.readUInt32BE(0);
  const fields = bytes.toString('utf8', 4, at).split('\0');
  const members: Member[] = [];
  let about = '';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [path = '', rest = ''] = [fields[i], fields[i + 1]];
    if (rest.length > 1) about = rest.slice(1);
    const has = rest.startsWith('+');
    members.push({ path, digest: has ? `sha256:${bytes.toString('hex', at, at + 32)}` : undefined, about });
    if (has) at += 32;
  }
  return members;
}

/** What is other in `after`; at most `limit` paths are told. Of several members of one path the last counts. */
export function compareMembers(before: Iterable<Member>, after: Iterable<Member>, limit = Infinity): MemberChanges {
  const earlier = byPath(before);
  const later = byPath(after);
  const paths: MemberChange[] = [];
  const counts = { changed: 0, added: 0, removed: 0 };
  for (const [path, member] of later) {
    const old = earlier.get(path);
    if (old && old.digest === member.digest && old.about === member.about) continue;
    const change = old ? 'changed' : 'added';
    counts[change] += 1;
    paths.push({ path, change, ...(old && { before: sideOf(old) }), after: sideOf(member) });
  }
  for (const [path, member] of earlier) {
    if (later.has(path)) continue;
    counts.removed += 1;
    paths.push({ path, change: 'removed', before: sideOf(member) });
  }
  paths.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { ...counts, paths: paths.length > limit ? paths.slice(0, limit) : paths };
}

function byPath(members: Iterable<Member>): Map<string, Member> {
  const found = new Map<string, Member>();
  for (const member of members) found.set(member.path, member);
  return found;
}

function sideOf({ digest, about }: Member): Omit<Member, 'path'> {
  return digest === undefined ? { about } : { digest, about };
}

/** FNV-1a over the last UTF-16 units: names differ most at their ends. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = Math.max(0, text.length - 16); i < text.length; i++)
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value ^ (value >>> 13);
}
