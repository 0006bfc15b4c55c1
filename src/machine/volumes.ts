import { mkdirSync, statSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import { hasErrno, messageOf } from '../base/index.ts';
import type { StepMount } from '../exec/index.ts';
import { machineError } from './errors.ts';

/** A folder or file of this machine in a container. */
export interface VolumeRequest {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
}

/** A named volume in a container. */
export interface NamedVolume {
  readonly name: string;
  readonly target: string;
  readonly readonly: boolean;
  /** False: it stays empty until something is written to it. */
  readonly fill: boolean;
}

/** What a person wants mounted: something of this machine, a named volume, a folder of the container's own, memory. */
export type MountRequest =
  | ({ readonly kind: 'bind'; readonly mustExist?: boolean | undefined } & VolumeRequest)
  | ({ readonly kind: 'volume' } & NamedVolume)
  | { readonly kind: 'own'; readonly target: string }
  | { readonly kind: 'tmpfs'; readonly mount: Extract<StepMount, { type: 'tmpfs' }> };

/** What `-v` says: `source:target[:ro|rw]`; a relative source begins with "." and is in `cwd`, a source without "/" is the name of a volume. Throws `RUN_INVALID`. */
export function parseVolume(text: string, o: { readonly cwd: string; readonly home: string }): MountRequest {
  const parts = text.split(':');
  if (parts.length === 1 && parts[0]?.startsWith('/')) return { kind: 'own', target: targetOf(parts[0], text) };
  const [source = '', target = '', options = '', ...more] = parts;
  if (more.length > 0 || source === '' || target === '') throw invalid(text, 'it has not the form source:target[:ro]');
  const words = options.split(',').filter((word) => word !== '');
  const unknown = words.find((word) => !KNOWN.includes(word));
  if (unknown !== undefined) throw invalid(text, `option "${unknown}" is not known`);
  const isPath = source.startsWith('/') || source.startsWith('.') || source === '~' || source.startsWith('~/');
  const readonly = words.includes('ro');
  if (!isPath) {
    if (source.includes('/'))
      throw invalid(text, `"${source}" is neither a path, which begins with "/", "." or "~", nor the name of a volume`);
    return { kind: 'volume', name: source, target: targetOf(target, text), readonly, fill: !words.includes('nocopy') };
  }
  const path = source.startsWith('~') ? o.home + source.slice(1) : source;
  return { kind: 'bind', source: resolve(o.cwd, path), target: targetOf(target, text), readonly };
}

/** Read-write, and what Docker has for SELinux and for propagation by default, which change nothing here. */
const KNOWN = ['ro', 'rw', 'nocopy', 'z', 'Z', 'rprivate', 'private'];

/** Makes a source that is missing a folder, as Docker does, and gives the mount. Throws `VOLUME_UNUSABLE`. */
export function volumeMount(volume: VolumeRequest): StepMount {
  const { source, target, readonly } = volume;
  try {
    statSync(source);
  } catch (error) {
    try {
      if (!hasErrno(error, 'ENOENT')) throw error;
      mkdirSync(source, { recursive: true });
    } catch (cause) {
      throw machineError('VOLUME_UNUSABLE', `mount "${source}" on "${target}": ${messageOf(cause)}`, { cause });
    }
  }
  return { type: 'bind', source, target, readonly };
}

/** What `--tmpfs` says: `target[:options]`, options as mount has them: size, mode, ro, rw, exec, noexec, suid, nosuid, dev, nodev. Throws `RUN_INVALID`. */
export function parseTmpfs(text: string): Extract<StepMount, { type: 'tmpfs' }> {
  const colon = text.indexOf(':');
  const target = targetOf(colon < 0 ? text : text.slice(0, colon), text);
  const flags = new Set(['noexec', 'nodev']);
  let size: number | undefined;
  let mode = 0o1777;
  for (const word of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [name = '', value] = word.split('=');
    if (name === 'size') size = sizeOf(value ?? '', text);
    else if (name === 'mode' && /^[0-7]{1,5}$/.test(value ?? '')) mode = parseInt(value ?? '', 8) & 0o7777;
    else if (name === 'exec' || name === 'dev') flags.delete(`no${name}`);
    else if (['noexec', 'nodev', 'ro'].includes(name)) flags.add(name);
    else if (name === 'rw') flags.delete('ro');
    else if (name !== 'nosuid' && name !== '') throw invalid(text, `option "${word}" is not known`);
  }
  return { type: 'tmpfs', target, mode, flags: [...flags], ...(size === undefined ? {} : { size }) };
}

/** Absolute in the container, and not its root. */
export function targetOf(path: string, text: string): string {
  const target = posix.normalize(path).replace(/(.)\/+$/, '$1');
  if (!target.startsWith('/')) throw invalid(text, `"${path}" is not absolute`);
  if (target === '/') throw invalid(text, 'the root itself cannot be a mount');
  return target;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };

function sizeOf(value: string, text: string): number {
  const match = /^(\d+)([kmg]?)b?$/i.exec(value);
  if (!match) throw invalid(text, `"${value}" is no size`);
  return Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1);
}

function invalid(text: string, detail: string): Error {
  return machineError('RUN_INVALID', `mount "${text}": ${detail}`, {
    remedy: 'Write for example -v ./data:/data:ro or --tmpfs /tmp:size=64m.',
  });
}
