import {
  chmodSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { sys } from '../base/index.ts';

/** A copy of a file or a folder and all that is in it, with owners, modes and times; what is no file, folder or link is left out. */
export function copyTree(from: Buffer, to: Buffer): void {
  const stats = lstatSync(from, { bigint: true });
  if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from, 'buffer'), to);
  else if (stats.isFile()) copyFileSync(from, to);
  else if (!stats.isDirectory()) return;
  else {
    mkdirSync(to);
    for (const name of readdirSync(from, 'buffer'))
      copyTree(Buffer.concat([from, SLASH, name]), Buffer.concat([to, SLASH, name]));
  }
  lchownSync(to, Number(stats.uid), Number(stats.gid));
  if (!stats.isSymbolicLink()) chmodSync(to, Number(stats.mode) & 0o7777);
  sys.utimes(to, stats.atimeNs, stats.mtimeNs);
}

const SLASH = Buffer.from('/');
