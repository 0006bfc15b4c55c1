import { writeFileSync } from 'node:fs';
import { encodePath } from '../tree/index.ts';

/** A tar member as a test wants it, right or wrong. `name` is written as it is: ".." and "/" too. */
export interface Member {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';
  readonly text?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds, with a fraction by PAX. */
  readonly mtime?: number | string;
  readonly link?: string;
  readonly device?: readonly [number, number];
  readonly xattrs?: Readonly<Record<string, string>>;
}

const TYPES = { file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' };

/** A PAX tar of these members, in this order. */
export function layerTar(members: readonly Member[]): Buffer {
  const blocks: Buffer[] = [];
  for (const member of members) {
    const name = encodePath(member.name);
    const link = encodePath(member.link ?? '');
    const records: [string, Buffer][] = [];
    if (name.length > 100) records.push(['path', name]);
    if (link.length > 100) records.push(['linkpath', link]);
    if (typeof member.mtime === 'string') records.push(['mtime', Buffer.from(member.mtime)]);
    for (const [key, value] of Object.entries(member.xattrs ?? {}))
      records.push([`SCHILY.xattr.${key}`, Buffer.from(value, 'latin1')]);
    if (records.length > 0) {
      const body = Buffer.concat(records.map(([key, value]) => record(key, value)));
      blocks.push(header({ name: Buffer.from('pax'), type: 'x', size: body.length }), body, pad(body.length));
    }
    const content = Buffer.from(member.text ?? '');
    blocks.push(
      header({ ...member, name, link, type: TYPES[member.type ?? 'file'], size: content.length }),
      content,
      pad(content.length),
    );
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** The tar as a file, by its path. */
export function writeLayer(path: string, members: readonly Member[]): { readonly path: string } {
  writeFileSync(path, layerTar(members));
  return { path };
}

interface Header extends Omit<Member, 'name' | 'type' | 'link'> {
  readonly name: Buffer;
  readonly link?: Buffer;
  readonly type: string;
  readonly size: number;
}

function header(o: Header): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void =>
    void block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  o.name.copy(block, 0, 0, 100);
  octal(o.mode ?? (o.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(o.uid ?? 0, 108, 8);
  octal(o.gid ?? 0, 116, 8);
  octal(o.size, 124, 12);
  octal(typeof o.mtime === 'number' ? o.mtime : 1_000_000_000, 136, 12);
  block.fill(' ', 148, 156);
  block.write(o.type, 156, 'latin1');
  o.link?.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  octal(o.device?.[0] ?? 0, 329, 8);
  octal(o.device?.[1] ?? 0, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function pad(size: number): Buffer {
  return Buffer.alloc((512 - (size % 512)) % 512);
}
