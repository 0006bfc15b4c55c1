import type { ImageTarget, ModuleDescriptor, Target } from './types.ts';

const ANY: Target = { os: '', arch: '', variant: '', distros: [] };
const LINUX: Target = { ...ANY, os: 'linux' };
const BIONIC: Target = { os: 'linux', arch: 'amd64', variant: '', distros: [{ name: 'ubuntu', version: '18.04' }] };
export const BIONIC_STACK = 'io.buildpacks.stacks.bionic';

/**
 * A base image is one that `target` names: os, architecture and variant are the same or not said by one of both; one of the target's distributions is the image's (buildpack.md, Targets).
 */
export function targetMatches(base: ImageTarget, target: Target): boolean {
  if (!same(base.os, target.os) || !same(base.arch, target.arch) || !same(base.variant, target.variant)) return false;
  if (target.distros.length === 0) return true;
  const { distro } = base;
  return (
    distro !== undefined &&
    target.distros.some(({ name, version }) => same(distro.name, name) && same(distro.version, version))
  );
}

const same = (a: string, b: string): boolean => a === '' || b === '' || a === b;

/**
 * The targets of a module: those it says, else what its stacks stand for, else what the programs in its `bin` folder show (`programs`: their names). Empty: nothing is known, anything goes.
 */
export function targetsOf(module: ModuleDescriptor, programs: readonly string[]): readonly Target[] {
  if (module.targets.length > 0) return module.targets;
  const fromStacks = module.stacks.flatMap(({ id }) => (id === '*' ? [ANY] : id === BIONIC_STACK ? [BIONIC] : []));
  if (fromStacks.length > 0) return fromStacks;
  const [unix, windows] =
    module.kind === 'buildpack' ? [['build'], ['build.exe', 'build.bat']] : [['detect', 'generate'], []];
  const found: Target[] = [];
  if (programs.some((name) => unix.includes(name))) found.push(LINUX);
  if (programs.some((name) => windows.includes(name))) found.push({ ...ANY, os: 'windows' });
  return found;
}

/** What `/etc/os-release` says of the distribution: `ID` and `VERSION_ID`. Undefined where it says neither. */
export function parseOsRelease(text: string): { readonly name: string; readonly version: string } | undefined {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z_][A-Z0-9_]*)=(.*?)\s*$/.exec(line);
    if (match) values.set(match[1]!, unquote(match[2]!));
  }
  const name = values.get('ID') ?? '';
  const version = values.get('VERSION_ID') ?? '';
  return name === '' && version === '' ? undefined : { name, version };
}

function unquote(text: string): string {
  const match = /^(["'])(.*)\1$/.exec(text);
  return (match ? match[2]! : text).replace(/\\(["'\\$`])/g, '$1');
}

/** A target in one line, for messages: `linux/amd64/v3 (ubuntu@24.04, debian)`. */
export function describeTarget(target: Target | ImageTarget): string {
  const distros = 'distros' in target ? target.distros : target.distro ? [target.distro] : [];
  const names = distros.map(({ name, version }) => (version === '' ? name : `${name}@${version}`));
  const platform = [target.os || 'any', target.arch || 'any', ...(target.variant === '' ? [] : [target.variant])].join(
    '/',
  );
  return names.length === 0 ? platform : `${platform} (${names.join(', ')})`;
}

/**
 * A run image's target with what its configuration does not say taken from the build container, as the lifecycle does: the distribution from `/etc/os-release`, and, with platforms that tell nothing of the
 * run image (before Platform API 0.12), os and architecture.
 */
export function completeTarget(
  target: ImageTarget,
  o: { osRelease?: string | undefined; arch?: string | undefined },
): ImageTarget {
  const os = target.os || 'linux';
  const arch = target.arch || (o.arch ?? '');
  if (target.distro !== undefined || o.osRelease === undefined || os !== 'linux') return { ...target, os, arch };
  return { ...target, os, arch, distro: parseOsRelease(o.osRelease) };
}
