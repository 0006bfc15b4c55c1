import type { Lock, LockSource } from './lock.ts';
import { SLIM_EXCLUDES, SLIM_INCLUDES } from './slim.ts';
import { putDirectory, putFile, type Draft } from './unpacked-tree.ts';

/**
 * Files that no package brings and that make an image of a system: apt's sources, settings that keep layers small (under the names that Debian's images on registries use, because
 * Dockerfiles remove some of them by name), and the policy that keeps daemons from being started by package scripts. All of it follows from the lock.
 */
export function writeImageFiles(draft: Draft, lock: Lock): void {
  const mtime = lock.epoch;
  const put = (path: string, content: string | Uint8Array, mode?: number): void =>
    putFile(draft, path, { content, mode, mtime });
  const keyrings = new Map<string, string>();
  for (const { keyring } of lock.sources)
    if (keyring !== undefined && !keyrings.has(keyring)) {
      const path = `etc/apt/keyrings/mirror-${keyrings.size + 1}.gpg`;
      keyrings.set(keyring, `/${path}`);
      put(path, Buffer.from(keyring, 'base64'));
    }
  const debian = ['pgp', 'gpg'].map((ending) => `usr/share/keyrings/debian-archive-keyring.${ending}`);
  const debianKeyring = `/${debian.find((path) => draft.entries.has(path)) ?? debian[1]}`;
  put(
    'etc/apt/sources.list.d/debian.sources',
    lock.sources
      .map((source) =>
        sourceText(source, source.keyring === undefined ? debianKeyring : (keyrings.get(source.keyring) ?? '')),
      )
      .join('\n'),
  );
  for (const [path, content] of Object.entries(APT_FILES)) put(path, content);
  put('usr/sbin/policy-rc.d', POLICY, 0o755);
  put('etc/fstab', '# UNCONFIGURED FSTAB FOR BASE SYSTEM\n');
  if (lock.variant === 'slim') put('etc/dpkg/dpkg.cfg.d/slim', slimConfig());
  const auto = lock.packages.filter((item) => item.auto === true);
  put(
    'var/lib/apt/extended_states',
    extendedStates(auto.map(({ name }) => ({ name, architecture: lock.architecture }))),
  );
  for (const folder of ['etc/apt/preferences.d', 'var/lib/apt/lists', 'var/cache/apt/archives'])
    putDirectory(draft, folder, { mtime });
}

/** Which packages apt may remove again when nothing needs them (apt's extended_states); architecture is the system's, also for packages of all. */
export function extendedStates(packages: readonly { readonly name: string; readonly architecture: string }[]): string {
  return packages
    .map(({ name, architecture }) => `Package: ${name}\nArchitecture: ${architecture}\nAuto-Installed: 1\n\n`)
    .join('');
}

function sourceText(source: LockSource, keyring: string): string {
  return [
    'Types: deb',
    `URIs: ${source.uris.join(' ')}`,
    `Suites: ${source.suite}`,
    `Components: ${source.components.join(' ')}`,
    ...(source.trusted === true ? ['Trusted: yes'] : [`Signed-By: ${keyring}`]),
    ...(source.checkValidUntil === false ? ['Check-Valid-Until: no'] : []),
    ...(source.checkDate === false ? ['Check-Date: no'] : []),
    '',
  ].join('\n');
}

function slimConfig(): string {
  return [
    '# What a slim image leaves out; packages installed later leave it out too.',
    ...SLIM_EXCLUDES.map((pattern) => `path-exclude ${pattern}`),
    ...SLIM_INCLUDES.map((pattern) => `path-include ${pattern}`),
    '',
  ].join('\n');
}

const CLEAN =
  '"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true";';

const APT_FILES: Readonly<Record<string, string>> = {
  'etc/apt/apt.conf.d/docker-clean': `# Downloaded packages and caches would only make layers larger. Remove this file where a cache mount keeps them.
DPkg::Post-Invoke { ${CLEAN} };
APT::Update::Post-Invoke { ${CLEAN} };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`,
  'etc/apt/apt.conf.d/docker-no-languages': `# No translated descriptions: "apt-get update" is faster and its layer smaller.
Acquire::Languages "none";
`,
  'etc/apt/apt.conf.d/docker-gzip-indexes': `# Package lists stay compressed on disk.
Acquire::GzipIndexes "true";
`,
  'etc/apt/apt.conf.d/docker-autoremove-suggests': `# "apt-get autoremove" also removes what is merely suggested by something.
Apt::AutoRemove::SuggestsImportant "false";
`,
  'etc/dpkg/dpkg.cfg.d/docker-apt-speedup': `# A build step that is cut short is run again from its start, so files need not be synced one by one.
force-unsafe-io
`,
};

const POLICY = `#!/bin/sh
# Installing a package in an image must not start its services.
exit 101
`;
