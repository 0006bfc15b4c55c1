import { resolve } from 'node:path';
import { parseTmpfs, targetOf, type MountRequest } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import { csvFields } from '../parse/csv.ts';

const KEYS: Readonly<Record<string, string>> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' };
/** Which change nothing here. */
const IGNORED = new Set(['consistency', 'bind-propagation', 'volume-driver', 'bind-nonrecursive']);
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  bind: ['source', 'target', 'readonly'],
  volume: ['source', 'target', 'readonly', 'volume-nocopy'],
  tmpfs: ['target', 'tmpfs-size', 'tmpfs-mode', 'readonly'],
};

/** What `--mount` says (docker run, --mount): `type=bind|volume|tmpfs,source=…,target=…[,readonly]`; a volume by default. */
export function mountFlag(text: string, o: { readonly cwd: string }): MountRequest {
  const values = new Map<string, string>();
  for (const field of csvFields(text, '--mount')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    values.set(KEYS[key] ?? key, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  const type = values.get('type') ?? 'volume';
  const known = KNOWN[type];
  if (!known) throw bad(text, `there is no type "${type}" of mounts`, 'Use bind, volume or tmpfs.');
  values.delete('type');
  const unknown = [...values.keys()].find((key) => !known.includes(key) && !IGNORED.has(key));
  if (unknown !== undefined) throw bad(text, `a mount of type "${type}" has no "${unknown}"`);
  const { target, source } = Object.fromEntries(values) as { target?: string; source?: string };
  if (target === undefined || target === '') throw bad(text, 'the target is missing');
  const readonly = isOn(values.get('readonly'), text);
  if (type === 'tmpfs') {
    const options = [
      ...(values.has('tmpfs-size') ? [`size=${values.get('tmpfs-size')}`] : []),
      ...(values.has('tmpfs-mode') ? [`mode=${values.get('tmpfs-mode')}`] : []),
      ...(readonly ? ['ro'] : []),
    ];
    return { kind: 'tmpfs', mount: parseTmpfs(`${target}:${options.join(',')}`) };
  }
  const place = targetOf(target, text);
  if (type === 'volume') {
    if (source === undefined || source === '') return { kind: 'own', target: place };
    const fill = !isOn(values.get('volume-nocopy'), text);
    return { kind: 'volume', name: source, target: place, readonly, fill };
  }
  if (source === undefined || source === '') throw bad(text, 'the source is missing');
  return { kind: 'bind', source: resolve(o.cwd, source), target: place, readonly, mustExist: true };
}

function isOn(value: string | undefined, text: string): boolean {
  if (value === undefined || value === 'false' || value === '0') return false;
  if (value === 'true' || value === '1') return true;
  throw bad(text, `"${value}" is neither true nor false`);
}

function bad(
  text: string,
  detail: string,
  remedy = 'Write for example --mount type=bind,source=./data,target=/data,readonly.',
): Error {
  return usage(`read --mount "${text}": ${detail}`, remedy);
}
