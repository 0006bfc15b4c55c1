import { existsSync, realpathSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { bakeError, isRemote, type Target } from '../../../bake/index.ts';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { booleanOf } from '../parse/values.ts';

/** What `--allow` grants: capabilities by their name, and folders that targets may read or write. */
interface Granted {
  readonly names: ReadonlySet<string>;
  readonly read: readonly string[];
  readonly write: readonly string[];
}

const NAMES = ['network.host', 'security.insecure', 'ssh', 'buildx.local.delete'];

/**
 * A bake file may name any path of this machine and any privilege: what is outside of the working folder, and what steps must not have by themselves, is granted by `--allow` (buildx, bake/entitlements.go). What `--set` says is
 * the user's own word, and granted. Throws `BAKE_DENIED` with the flags that grant it.
 */
export function checkEntitlements(
  targets: Iterable<Target>,
  o: { readonly allow: readonly string[]; readonly io: Io; readonly overridden: readonly string[] },
): void {
  const granted = read(o.allow, o.io.cwd);
  const own = o.overridden.flatMap((text) => pathsIn(text));
  const missing = new Set<string>();
  const checksFiles = booleanOf(o.io.env['BUILDX_BAKE_ENTITLEMENTS_FS'] || '1', 'BUILDX_BAKE_ENTITLEMENTS_FS');
  for (const target of targets) {
    for (const name of target.entitlements ?? [])
      if (NAMES.includes(name) && !granted.names.has(name) && !isOwn(o.overridden, name)) missing.add(name);
    if (!checksFiles) continue;
    for (const path of readBy(target))
      if (!isWithin(path, granted.read, o.io.cwd) && !own.includes(path))
        missing.add(`fs.read=${shown(path, o.io.cwd)}`);
    for (const path of writtenBy(target))
      if (!isWithin(path, granted.write, o.io.cwd) && !own.includes(path))
        missing.add(`fs.write=${shown(path, o.io.cwd)}`);
    if (
      (target.ssh ?? []).some(({ paths }) => paths.length === 0) &&
      !granted.names.has('ssh') &&
      !isOwn(o.overridden, 'ssh')
    )
      missing.add('ssh');
  }
  if (missing.size === 0) return;
  const flags = [...missing].sort().map((name) => `--allow ${/[\s'"$&;|]/.test(name) ? JSON.stringify(name) : name}`);
  throw bakeError('BAKE_DENIED', `bake: the files ask for what is not granted: ${[...missing].sort().join(', ')}`, {
    remedy: `If you trust them, add: ${flags.join(' ')}`,
  });
}

function read(texts: readonly string[], cwd: string): Granted {
  const names = new Set<string>();
  const [folders, written] = [[cwd], [cwd]];
  for (const text of texts) {
    const equals = text.indexOf('=');
    const [name, value] = equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    if (NAMES.includes(name) && equals < 0) names.add(name);
    else if (name === 'fs' || name === 'fs.read' || name === 'fs.write') {
      const path = value === '*' ? '/' : resolve(cwd, value);
      if (name !== 'fs.write') folders.push(path);
      if (name !== 'fs.read') written.push(path);
    } else if (!['device', 'image', 'image.push', 'image.load'].includes(name))
      throw usage(
        `read --allow "${text}": there is no such entitlement`,
        `Use ${NAMES.join(', ')}, fs=PATH, fs.read=PATH or fs.write=PATH.`,
      );
  }
  return { names, read: folders, write: written };
}

/** Paths that a `--set` flag names. */
function pathsIn(text: string): readonly string[] {
  return text
    .slice(text.indexOf('=') + 1)
    .split(/[=,]/)
    .filter((word) => word !== '');
}

function isOwn(overridden: readonly string[], name: string): boolean {
  return overridden.some((text) =>
    name === 'ssh'
      ? /\.ssh\+?=/.test(text)
      : text.endsWith(`=${name}`) || (name === 'network.host' && text.endsWith('.network=host')),
  );
}

function* readBy(target: Target): Iterable<string> {
  for (const text of [target.context ?? '.', ...(target.contexts?.values() ?? [])]) {
    if (text.startsWith('oci-layout:')) yield text.replace(/^oci-layout:(?:\/\/)?/, '').replace(/[:@][^/]*$/, '');
    else if (!/^(?:target|docker-image|input):/.test(text) && !isRemote(text))
      yield text.replace(/^cwd:\/\//, '') || '.';
  }
  if (target.dockerfile !== undefined && !isRemote(target.dockerfile) && !isRemote(target.context ?? '.'))
    yield target.dockerfile.startsWith('cwd://')
      ? target.dockerfile.slice('cwd://'.length)
      : resolve('/', target.dockerfile) === target.dockerfile
        ? target.dockerfile
        : `${target.context ?? '.'}/${target.dockerfile}`;
  for (const { type, attributes } of target['cache-from'] ?? [])
    if (type === 'local') yield attributes.get('src') ?? '.';
  for (const { src } of target.secret ?? []) if (src !== '') yield src;
  for (const { paths } of target.ssh ?? []) yield* paths;
}

function* writtenBy(target: Target): Iterable<string> {
  for (const { attributes } of target.output ?? []) {
    const to = attributes.get('dest');
    if (to !== undefined && to !== '-' && to !== '') yield to;
  }
  for (const { type, attributes } of target['cache-to'] ?? [])
    if (type === 'local') yield attributes.get('dest') ?? '.';
}

function isWithin(path: string, folders: readonly string[], cwd: string): boolean {
  const real = existing(resolve(cwd, path));
  return folders.some((folder) => {
    const at = existing(resolve(cwd, folder));
    return real === at || real.startsWith(at === '/' ? '/' : `${at}/`);
  });
}

/** Where a path leads, links followed, as far as it is there. */
function existing(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const above = dirname(path);
  return above === path ? path : resolve(existing(above), relative(above, path));
}

function shown(path: string, cwd: string): string {
  const whole = resolve(cwd, path);
  const short = relative(cwd, whole);
  return short.startsWith('../..') ? whole : short || '.';
}
