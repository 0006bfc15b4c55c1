import type { Process, StepMount } from '../../exec/index.ts';
import type { Entry } from '../../tree/index.ts';

/** Entries as rows of JSON; what is absent at the end of a row is left out. */
export type EntryRow = readonly [
  path: string,
  type: Entry['type'],
  mode: number,
  uid: number,
  gid: number,
  size: number,
  mtime: number,
  mtimeNs: number,
  link?: string | null,
  device?: readonly [number, number] | null,
  xattrs?: readonly (readonly [string, string])[],
];

export function rowOf(entry: Entry): EntryRow {
  const { path, type, mode, uid, gid, size, mtime, mtimeNs, link, device, xattrs } = entry;
  const row = [path, type, mode, uid, gid, size, mtime, mtimeNs] as const;
  if (link === undefined && !device && !xattrs) return row;
  const numbers = device ? ([device.major, device.minor] as const) : null;
  const values = [...(xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('base64')] as const);
  return [...row, link ?? null, numbers, values];
}

export function entryOf(row: EntryRow): Entry {
  const [path, type, mode, uid, gid, size, mtime, mtimeNs, link, device, xattrs = []] = row;
  return {
    path,
    type,
    mode,
    uid,
    gid,
    size,
    mtime,
    mtimeNs,
    ...(link === undefined || link === null ? {} : { link }),
    ...(device ? { device: { major: device[0], minor: device[1] } } : {}),
    ...(xattrs.length === 0
      ? {}
      : { xattrs: new Map(xattrs.map(([name, value]) => [name, new Uint8Array(Buffer.from(value, 'base64'))])) }),
  };
}

/** Which of a tree's entries are asked for: first and last index of each run. */
export type Runs = readonly (readonly [number, number])[];

export function runsOf(indexes: readonly number[]): Runs {
  const runs: [number, number][] = [];
  for (const index of indexes) {
    const run = runs.at(-1);
    if (run && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  }
  return runs;
}

export function pick<T>(items: readonly T[], runs: Runs): T[] {
  return runs.flatMap(([first, last]) => items.slice(first, last + 1));
}

export type WireMount =
  | Exclude<StepMount, { type: 'file' }>
  | (Omit<Extract<StepMount, { type: 'file' }>, 'content'> & { readonly content: string });

/** A process as JSON: the contents of files as base64. */
export type WireProcess = Omit<Process, 'mounts'> & { readonly mounts: readonly WireMount[] };

export function packProcess(process: Process): WireProcess {
  return packMounts(process);
}

export function unpackProcess(process: WireProcess): Process {
  return unpackMounts(process);
}

/** The same with the contents of files as base64. */
export function packMounts<T extends { readonly mounts: readonly StepMount[] }>(
  it: T,
): Omit<T, 'mounts'> & { readonly mounts: readonly WireMount[] } {
  const mounts = it.mounts.map((mount) =>
    mount.type === 'file' ? { ...mount, content: Buffer.from(mount.content).toString('base64') } : mount,
  );
  return { ...it, mounts };
}

export function unpackMounts<T extends { readonly mounts: readonly WireMount[] }>(
  it: T,
): Omit<T, 'mounts'> & { readonly mounts: readonly StepMount[] } {
  const mounts = it.mounts.map((mount) =>
    mount.type === 'file' ? { ...mount, content: new Uint8Array(Buffer.from(mount.content, 'base64')) } : mount,
  );
  return { ...it, mounts };
}

/** What a keeper says of a look; a file's bytes come before it. */
export interface LookAnswer {
  readonly rows?: readonly EntryRow[] | undefined;
}
