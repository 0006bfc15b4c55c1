import type { Descriptor, Platform } from '../blob/index.ts';
import { imageError } from './errors.ts';

const SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows zos'.split(
    ' ',
  ),
);
const ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386'],
  i486: ['386'],
  i586: ['386'],
  i686: ['386'],
  x86: ['386'],
  'x86-64': ['amd64'],
  x86_64: ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armv7l: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  armv6l: ['arm', 'v6'],
  armv8l: ['arm', 'v8'],
  ppc64el: ['ppc64le'],
  loongarch64: ['loong64'],
};

/** Node's `process.arch` in Go's words, which images use. */
const NODE_ARCH: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x64: ['amd64'],
  ia32: ['386'],
  arm64: ['arm64'],
  arm: ['arm', 'v7'],
  loong64: ['loong64'],
  mips: ['mips'],
  mipsel: ['mipsle'],
  ppc64: ['ppc64le'],
  riscv64: ['riscv64'],
  s390x: ['s390x'],
};

/** The platform of this machine, from `process.platform` and `process.arch`. Throws `PLATFORM_INVALID` for one that images have no word for. */
export function hostPlatform(machine: { platform: string; arch: string }): Platform {
  const os = machine.platform === 'win32' ? 'windows' : machine.platform;
  const known = NODE_ARCH[machine.arch];
  if (!known)
    throw imageError('PLATFORM_INVALID', `read this machine's platform: architecture "${machine.arch}" is not known`);
  return normalizePlatform({ os, architecture: known[0], variant: known[1] });
}

/**
 * Reads `os/arch[/variant]`, `os` or `arch` alone where `host` gives the other half, and `os(version)/...`. Known aliases are accepted (`x86_64`, `aarch64`, `armhf`). The result is normalised.
 * Throws `PLATFORM_INVALID`.
 */
export function parsePlatform(text: string, host?: Platform): Platform {
  const bad = (detail: string): Error =>
    imageError('PLATFORM_INVALID', `read platform "${text}": ${detail}`, {
      remedy: 'Write os/architecture[/variant], as "linux/amd64" or "linux/arm/v7".',
    });
  const parts = text.split('/');
  if (
    parts.length > 3 ||
    parts.some((part, at) => !/^[A-Za-z0-9_.-]+(?:\([A-Za-z0-9_.-]*\))?$/.test(part) || (at > 0 && part.includes('(')))
  )
    throw bad('not of that form');
  const [first = '', second, third] = parts;
  const [, os = '', version] = /^([^(]*)(?:\((.*)\))?$/.exec(first) ?? [];
  if (second === undefined) {
    const lower = os.toLowerCase();
    if (!host) throw bad('one of operating system and architecture is missing');
    if (SYSTEMS.has(lower) || lower === 'macos')
      return normalizePlatform({ ...host, os, 'os.version': version || undefined });
    if (ARCHITECTURES.has(lower) || ALIASES[lower]) return normalizePlatform({ os: host.os, architecture: os });
    throw bad('neither an operating system nor an architecture that is known');
  }
  return normalizePlatform({ os, 'os.version': version || undefined, architecture: second, variant: third });
}

/** `os/arch[/variant]`: the text of a normalised platform that plans, events and people use. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** One way to write each platform (containerd/platforms, database.go): lower case, aliases resolved, variants that mean the default left out, and `v7` for arm without one. Absent members are left out. */
export function normalizePlatform(platform: Platform): Platform {
  const lower = platform.architecture.toLowerCase();
  const [architecture, implied] = ALIASES[lower] ?? [lower];
  let variant = implied ?? (platform.variant?.toLowerCase() || undefined);
  if (architecture === '386') variant = undefined;
  if (variant !== undefined && /^[0-9]/.test(variant)) variant = `v${variant}`;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm64' && (variant === 'v8' || variant === 'v8.0')) variant = undefined;
  if (architecture === 'arm64' && variant === 'v9.0') variant = 'v9';
  if (architecture === 'arm' && variant === undefined) variant = 'v7';
  const os = platform.os.toLowerCase();
  const version = platform['os.version'];
  const features = platform['os.features'];
  return {
    os: os === 'macos' ? 'darwin' : os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined || version === '' ? {} : { 'os.version': version }),
    ...(features === undefined || features.length === 0 ? {} : { 'os.features': features }),
  };
}

/** True when an image for `target` runs where `wanted` was asked for: same system and architecture, a variant not above it (regclient types/platform/compare.go). */
export function platformRuns(wanted: Platform, target: Platform): boolean {
  const a = normalizePlatform(wanted);
  const b = normalizePlatform(target);
  const sameSystem = a.os === b.os || (a.os === 'darwin' && b.os === 'linux');
  if (!sameSystem || a.architecture !== b.architecture) return false;
  if (variantNumber(a) < variantNumber(b)) return false;
  return a.os !== 'windows' || windowsBuild(a) === '' || windowsBuild(a) === windowsBuild(b);
}

/** True for what an index holds beside images: attestations, which have the platform `unknown/unknown`. */
export function isAttestation(descriptor: Descriptor): boolean {
  const { platform, annotations } = descriptor;
  return (
    annotations?.['vnd.docker.reference.type'] !== undefined ||
    (platform?.os === 'unknown' && platform.architecture === 'unknown')
  );
}

/**
 * The member of an index to take for `wanted`: of those that run there the one with the highest variant, the first of equals. Attestations are never taken. Where no member with a platform fits, the first
 * member without one is the answer: its config has to say.
 */
export function matchPlatform(wanted: Platform, members: readonly Descriptor[]): Descriptor | undefined {
  let best: Descriptor | undefined;
  for (const member of members) {
    if (isAttestation(member) || !member.platform || !platformRuns(wanted, member.platform)) continue;
    if (!best?.platform || isBetter(wanted, member.platform, best.platform)) best = member;
  }
  return best ?? members.find((member) => !member.platform && !isAttestation(member));
}

function isBetter(wanted: Platform, one: Platform, other: Platform): boolean {
  const a = normalizePlatform(one);
  const b = normalizePlatform(other);
  if (a.os !== b.os) return a.os === normalizePlatform(wanted).os;
  if (variantNumber(a) !== variantNumber(b)) return variantNumber(a) > variantNumber(b);
  return a['os.version'] === wanted['os.version'] && b['os.version'] !== wanted['os.version'];
}

/** What a processor of this architecture without a variant is. */
const BASELINE: Readonly<Record<string, number>> = { amd64: 1, arm: 7, arm64: 8, ppc64le: 8, riscv64: 20 };

function variantNumber(platform: Platform): number {
  const digits = /(\d+)(?:\.(\d+))?/.exec(platform.variant ?? '');
  if (!digits) return BASELINE[platform.architecture] ?? 0;
  return Number(digits[1]) + Number(digits[2] ?? 0) / 100;
}

/** `10.0.17763` of `10.0.17763.1`: the part that host and container must share. */
function windowsBuild(platform: Platform): string {
  return (platform['os.version'] ?? '').split('.').slice(0, 3).join('.');
}
