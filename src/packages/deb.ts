import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { collect, drain, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { tarFileTree, type Entry, type FileTree } from '../tree/index.ts';
import { arMembers } from './ar.ts';
import { parseStanza, type Stanza } from './deb822.ts';
import { compressionOf, decompressTo } from './decompress.ts';
import { packagesError } from './errors.ts';

/** A binary package, unpacked into a folder as two plain archives. */
export interface Deb {
  /** The fields of its control file, and its text as it is there. */
  readonly control: Stanza;
  readonly controlText: string;
  /** The other files of its control archive by name. */
  readonly scripts: ReadonlyMap<string, ControlFile>;
  readonly data: FileTree;
  /** Canonical order, names as the package has them. */
  readonly entries: readonly Entry[];
}

export interface ControlFile {
  readonly content: Uint8Array;
  readonly executable: boolean;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

const CONTROL_LIMIT = 64 << 20;

/**
 * Unpacks a .deb (deb(5)) that is read whole, so that a verified stream is verified to its end. `folder` is made and keeps `control.tar` and `data.tar`; the tree reads from there.
 * Throws `DEB_INVALID`, `DEB_UNSUPPORTED`, and what the tar reader throws.
 */
export async function openDeb(content: Bytes, o: { folder: string; what: string } & Wait): Promise<Deb> {
  mkdirSync(o.folder, { recursive: true });
  const found = new Set<string>();
  for await (const member of arMembers(content, o.what)) {
    throwIfCancelled(o);
    const part = /^(control|data)\.tar(?:\.|$)/.exec(member.name)?.[1];
    if (member.name === 'debian-binary') await checkFormat(member.content, o.what);
    else if (part !== undefined && !found.has(part)) {
      const compression = compressionOf(member.name);
      if (compression === undefined)
        throw packagesError('DEB_UNSUPPORTED', `read ${o.what}: the compression of "${member.name}" is not supported`);
      found.add(part);
      const fd = openSync(join(o.folder, `${part}.tar`), 'w');
      try {
        await decompressTo(fd, member.content, {
          compression,
          what: `"${member.name}" of ${o.what}`,
          signal: o.signal,
        });
      } finally {
        closeSync(fd);
      }
    }
    await drain(member.content);
  }
  for (const part of ['control', 'data'])
    if (!found.has(part)) throw packagesError('DEB_INVALID', `read ${o.what}: it has no ${part}.tar`);
  const scripts = await controlFiles(await tarFileTree(join(o.folder, 'control.tar'), o), o);
  const control = scripts.get('control');
  if (!control) throw packagesError('DEB_INVALID', `read ${o.what}: it has no control file`);
  scripts.delete('control');
  const controlText = Buffer.from(control.content).toString();
  const data = await tarFileTree(join(o.folder, 'data.tar'), o);
  return { control: parseStanza(controlText), controlText, scripts, data, entries: await data.entries(o) };
}

async function checkFormat(content: Bytes, what: string): Promise<void> {
  const version = Buffer.from(await collect(content, { limit: 64, what }))
    .toString('latin1')
    .trim();
  if (!/^2\.\d+$/.test(version))
    throw packagesError('DEB_UNSUPPORTED', `read ${what}: format "${version}" is not supported`);
}

async function controlFiles(tree: FileTree, o: { what: string } & Wait): Promise<Map<string, ControlFile>> {
  const files = (await tree.entries(o)).filter(({ type, path }) => type === 'file' && !path.includes('/'));
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const content = await collect(tree.read(files, o), { limit: CONTROL_LIMIT, what: `control.tar of ${o.what}` });
  const found = new Map<string, ControlFile>();
  let at = 0;
  for (const file of files) {
    found.set(file.path, {
      content: content.subarray(at, at + file.size),
      executable: (file.mode & 0o111) !== 0,
      mtime: file.mtime,
    });
    at += file.size;
  }
  if (at !== size || at !== content.length)
    throw packagesError('DEB_INVALID', `read ${o.what}: its control.tar is damaged`);
  return found;
}
