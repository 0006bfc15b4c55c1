import type { Lock } from './lock.ts';

/** A process to be run in the base, as root of it, without network. */
export interface ConfigureStep {
  /** What it does, for the log. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Where the archives of packages on top of the base system lie while the steps run; `cleaned` removes it. */
export const PACKAGE_FOLDER = 'var/cache/strake';

/**
 * Runs the preinst scripts of unpacked packages as dpkg would have before it unpacked them (deb-preinst(5)). The packages' files are there already, which scripts of the base system are
 * made for: debootstrap and mmdebstrap unpack them in the same way.
 */
const PREINST = `set -eu
for package do
  for script in "/var/lib/dpkg/info/$package.preinst" "/var/lib/dpkg/info/$package:$DPKG_MAINTSCRIPT_ARCH.preinst"; do
    test -x "$script" || continue
    DPKG_MAINTSCRIPT_PACKAGE="$package" DEBCONF_PACKAGE="$package" "$script" install || { echo "preinst of $package failed" >&2; exit 1; }
  done
done
`;

/**
 * What turns a base tree of mode `scripts` into a configured system, in order. Each step must end with 0. Packages of the base system are configured by dpkg, which orders them by their
 * dependencies; packages on top are then installed by apt, which knows how to order what must be configured before something else is unpacked.
 */
export function configureSteps(lock: Lock): readonly ConfigureStep[] {
  const env = environment(lock);
  const base = lock.packages.filter((item) => item.base === true).map(({ name }) => name);
  const first = ['base-passwd', 'base-files'].filter((name) => base.includes(name));
  const ordered = [...first, ...base.filter((name) => !first.includes(name))];
  const scripts = {
    DPKG_MAINTSCRIPT_ARCH: lock.architecture,
    DPKG_MAINTSCRIPT_NAME: 'preinst',
    DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT: '1',
  };
  const dpkg = { DPKG_ADMINDIR: '/var/lib/dpkg', DPKG_ROOT: '', DPKG_RUNNING_VERSION: versionOf(lock, 'dpkg') };
  const steps: ConfigureStep[] = [
    {
      name: 'prepare the base packages',
      args: ['/bin/sh', '-c', PREINST, 'preinst', ...ordered],
      env: { ...env, ...scripts, ...dpkg },
      cwd: '/',
    },
    {
      name: 'configure the base packages',
      args: ['dpkg', '--force-confold', '--configure', ...ordered],
      env,
      cwd: '/',
    },
  ];
  const extra = lock.packages.filter((item) => item.base !== true);
  if (extra.length > 0)
    steps.push({
      name: 'install packages',
      args: ['apt-get', ...APT_OPTIONS, 'install', ...extra.map(({ name }) => `/${PACKAGE_FOLDER}/${name}.deb`)],
      env,
      cwd: '/',
    });
  return steps;
}

const APT_OPTIONS: readonly string[] = [
  '--yes',
  '--quiet',
  '--no-install-recommends',
  '-oAPT::Sandbox::User=root',
  '-oDir::Etc::SourceList=/dev/null',
  '-oDir::Etc::SourceParts=/dev/null',
  '-oDpkg::Options::=--force-confold',
  '-oDpkg::Use-Pty=0',
  '-oAPT::Color=0',
];

function environment(lock: Lock): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    DEBIAN_FRONTEND: 'noninteractive',
    DEBCONF_NONINTERACTIVE_SEEN: 'true',
    DEBCONF_NOWARNINGS: 'yes',
    LC_ALL: 'C.UTF-8',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(lock.epoch),
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

function versionOf(lock: Lock, name: string): string {
  return lock.packages.find((item) => item.name === name)?.version ?? '';
}
