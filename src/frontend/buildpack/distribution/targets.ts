import type { Platform } from '../../../blob/index.ts';
import { normalizePlatform } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import type { Distro, Target } from '../model/types.ts';

/**
 * Reads targets as they stand on a command line: `[os][/arch][/variant][:distro@version[@version][;distro@version]]`, several apart by commas (pack, --target).
 * Throws `CNB_TARGET_INVALID`.
 */
export function parseTargets(text: string): readonly Target[] {
  const parts = text.split(',').reduce<string[]>((done, part) => {
    // A comma also stands between distributions: such a part has no system before it.
    if (done.length > 0 && /^[^/:]+@/.test(part)) done.push(`${done.pop() ?? ''};${part}`);
    else done.push(part);
    return done;
  }, []);
  return parts.map((part) => parseTarget(part.trim()));
}

function parseTarget(text: string): Target {
  const bad = (detail: string): Error =>
    buildpackError('CNB_TARGET_INVALID', `read target "${text}": ${detail}`, {
      remedy: 'Write os/arch[/variant][:distro@version], as "linux/arm64" or "linux/amd64:ubuntu@24.04".',
    });
  const [platform = '', ...rest] = text.split(':');
  if (rest.length > 1) throw bad('more than one ":"');
  const [os = '', arch = '', variant = '', ...more] = platform.split('/');
  if (os === '') throw bad('it names no system');
  if (more.length > 0) throw bad('more than os, architecture and variant');
  const distros = (rest[0] ?? '')
    .split(';')
    .filter((one) => one !== '')
    .flatMap((one): Distro[] => {
      const [name = '', ...versions] = one.split('@');
      if (name === '') throw bad('a distribution without a name');
      return versions.length === 0 ? [{ name, version: '' }] : versions.map((version) => ({ name, version }));
    });
  return { os, arch: arch === '' ? '' : normalizePlatform({ os, architecture: arch }).architecture, variant, distros };
}

/** One target for each distribution; a package is made for each. */
export function expandTargets(targets: readonly Target[]): readonly Target[] {
  return targets.flatMap((target) =>
    target.distros.length < 2 ? [target] : target.distros.map((distro) => ({ ...target, distros: [distro] })),
  );
}

/** `os/arch/variant:distro@version`, what is said of it. */
export function formatTarget({ os, arch, variant, distros }: Target): string {
  const platform = [os, arch, variant].filter((part) => part !== '').join('/');
  const names = distros.map(({ name, version }) => (version === '' ? name : `${name}@${version}`));
  return names.length === 0 ? platform : `${platform}:${names.join(';')}`;
}

/** The folders in which a target's own files lie, outermost first (RFC 0128): `linux`, `amd64`, `v3`, `ubuntu@24.04`. */
export function targetFolders({ os, arch, variant, distros }: Target): readonly string[] {
  return [os, arch, variant, ...distros.map(({ name, version }) => `${name}@${version}`)].filter((part) => part !== '');
}

/** `-linux-arm64-v8`, which tells the packages of one name apart. */
export function targetSuffix({ os, arch, variant, distros }: Target): string {
  const names = distros.map(({ name, version }) => `${name}-${version}`);
  return [os, arch, variant, ...names]
    .filter((part) => part !== '')
    .map((part) => `-${part.replaceAll(/[^\w.-]/g, '-')}`)
    .join('');
}

/** The platform of images for a target; what it does not say is the host's. */
export function platformFor(target: Target, host: Platform): Platform {
  if (target.arch === '') return target.os === host.os ? host : { os: target.os, architecture: host.architecture };
  return normalizePlatform({
    os: target.os,
    architecture: target.arch,
    variant: target.variant === '' ? undefined : target.variant,
  });
}
