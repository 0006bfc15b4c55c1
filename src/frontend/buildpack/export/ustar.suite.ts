import { createHash } from 'node:crypto';

/** A member of an archive, written by the rules of the lifecycle's layers. */
export interface Member {
  readonly name: string;
  readonly type: 'file' | 'folder' | 'link';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly text?: string;
  readonly target?: string;
}

/**
 * The digest of a layer tar, composed here by the rules alone (plain ustar of Go's archive/tar; names absolute, folders without a slash; 1980-01-01T00:00:01Z; no owner names; 1024 zeros at the end), so that what
 * strake writes can be compared with something that strake's own writer had no hand in. Names above 100 bytes are not for it.
 */
export function layerDigest(members: readonly Member[]): string {
  const hash = createHash('sha256');
  for (const member of members) {
    const content = Buffer.from(member.text ?? '');
    const header = Buffer.alloc(512);
    const text = (at: number, value: string): number => header.write(value, at, 'latin1');
    const octal = (at: number, digits: number, value: number): number =>
      text(at, value.toString(8).padStart(digits, '0'));
    text(0, member.name);
    octal(100, 7, member.mode);
    octal(108, 7, member.uid);
    octal(116, 7, member.gid);
    octal(124, 11, content.length);
    octal(136, 11, 315_532_801);
    text(148, '        ');
    text(156, { file: '0', link: '2', folder: '5' }[member.type]);
    text(157, member.target ?? '');
    text(257, 'ustar');
    text(263, '00');
    octal(329, 7, 0);
    octal(337, 7, 0);
    const sum = header.reduce((total, byte) => total + byte, 0);
    text(148, `${sum.toString(8).padStart(6, '0')}\0 `);
    hash
      .update(header)
      .update(content)
      .update(Buffer.alloc(-content.length & 511));
  }
  return `sha256:${hash.update(Buffer.alloc(1024)).digest('hex')}`;
}

export const folder = (name: string, uid = 0, gid = 0, mode = 0o755): Member => ({
  name,
  type: 'folder',
  mode,
  uid,
  gid,
});
export const file = (name: string, text: string, uid = 0, gid = 0, mode = 0o644): Member => ({
  name,
  type: 'file',
  mode,
  uid,
  gid,
  text,
});
