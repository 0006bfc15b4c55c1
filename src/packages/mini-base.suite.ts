import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findTool, HttpClient, systemRandom, tempFolder } from '../base/index.ts';
import type { AptConfig } from './apt-config.ts';
import { parseAptConf } from './apt-settings.ts';
import type { Lock } from './lock.ts';
import { writeArchive, type DebSpec, type MiniSuite } from './mini-archive.suite.ts';
import { testKey, type TestKey } from './openpgp.suite.ts';
import type { BaseRequest } from './reference.ts';
import { resolveBase } from './resolve-base.ts';

/** Why tests of signatures cannot run, or false. */
export const skip = findTool('gpgv') === undefined && 'gpgv is not installed';
export const DATE = Date.parse('2026-07-11T10:16:37Z');
export const DAY = 86_400_000;

/** A small base: merged /usr, a hard link, a replaced file, a virtual package, triggers, conffiles. */
export const PACKAGES: readonly DebSpec[] = [
  {
    name: 'base-files',
    version: '12.4',
    fields: { Essential: 'yes', 'Pre-Depends': 'awk' },
    control: { postinst: '#!/bin/sh\n', conffiles: '/etc/issue\n' },
    files: {
      'etc/': {},
      'etc/issue': 'Debian\n',
      'tmp/': { mode: 0o1777 },
      'usr/': {},
      'usr/share/': {},
      'usr/share/base-files/': {},
      'usr/share/base-files/profile': 'PATH=\n',
      'usr/share/base-passwd/': {},
      'usr/share/base-passwd/passwd.master':
        'root:*:0:0:root:/root:/bin/sh\n_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n',
      'usr/share/base-passwd/group.master': 'root:*:0:\nshadow:*:42:\n',
    },
  },
  {
    name: 'dash',
    version: '0.5',
    fields: { Essential: 'yes', 'Pre-Depends': 'libc6', Replaces: 'old-sh (<< 2)' },
    control: { preinst: '#!/bin/sh\n', triggers: 'interest-noawait /usr/share/shells.d\n' },
    files: {
      'bin/': {},
      'bin/dash': { content: 'dash\n', mode: 0o755 },
      'bin/sh': { link: 'dash' },
      'bin/dash2': { hardlink: 'bin/dash' },
    },
  },
  {
    name: 'libc6',
    version: '2.36-9',
    fields: { 'Multi-Arch': 'same', Provides: 'libc' },
    control: { triggers: 'interest ldconfig\n' },
    files: {
      'lib/': {},
      'lib/x86_64-linux-gnu/': {},
      'lib/x86_64-linux-gnu/libc.so.6': 'libc\n',
      'usr/': {},
      'usr/lib/': {},
      'usr/lib/other': 'o\n',
    },
  },
  { name: 'mawk', fields: { Provides: 'awk' }, files: { 'usr/bin/': {}, 'usr/bin/mawk': 'mawk\n' } },
  { name: 'usr-is-merged', version: '37', architecture: 'all', fields: { Priority: 'required' } },
  {
    name: 'apt',
    version: '2.6',
    fields: { Depends: 'libc (>= 0) | libc6', Priority: 'important' },
    files: { 'usr/bin/': {}, 'usr/bin/apt': 'apt\n' },
  },
  {
    name: 'old-sh',
    version: '1',
    fields: { Priority: 'required' },
    files: {
      'bin/': {},
      'bin/dash': 'old\n',
      'usr/share/doc/': {},
      'usr/share/doc/old-sh/': {},
      'usr/share/doc/old-sh/copyright': 'c\n',
      'usr/share/doc/old-sh/README': 'r\n',
    },
  },
  {
    name: 'curl',
    version: '7.88',
    fields: { Depends: 'libcurl4 (= 7.88)' },
    files: { 'usr/bin/': {}, 'usr/bin/curl': 'curl\n' },
  },
  {
    name: 'libcurl4',
    version: '7.88',
    fields: { Depends: 'libc6' },
    files: { 'usr/lib/': {}, 'usr/lib/libcurl.so': 'so\n' },
  },
];

/** An archive in a folder, and what resolves a base from it. */
export interface Rig extends Disposable {
  readonly folder: string;
  readonly mirror: string;
  readonly key: TestKey;
  readonly keyring: string;
  resolve(o?: {
    packages?: readonly string[];
    now?: number;
    conf?: string;
    suite?: string;
    variant?: 'slim';
    architecture?: string;
    components?: readonly string[];
    keyring?: string;
  }): Promise<Lock>;
}

export function rig(suites: readonly (Partial<MiniSuite> & { detached?: boolean; signed?: boolean })[] = [{}]): Rig {
  const temp = tempFolder(tmpdir(), systemRandom);
  const folder = join(temp.path, 'debian');
  const key = testKey();
  const keyring = join(temp.path, 'key.gpg');
  writeFileSync(keyring, key.keyring);
  for (const { signed = true, ...suite } of suites)
    writeArchive(folder, { suite: 'bookworm', packages: PACKAGES, ...suite, ...(signed ? { key } : {}) });
  const mirror = pathToFileURL(folder).href;
  return {
    folder,
    mirror,
    key,
    keyring,
    resolve: async (o = {}) => {
      await using http = new HttpClient();
      const config: AptConfig = { settings: parseAptConf([o.conf ?? '']), sources: [], trusted: [], logins: [] };
      const request: BaseRequest = {
        distribution: 'debian',
        suite: o.suite ?? 'bookworm',
        variant: o.variant ?? 'minbase',
        packages: o.packages ?? [],
        components: o.components ?? ['main'],
        mirror,
      };
      return await resolveBase(request, {
        http,
        config,
        architecture: o.architecture ?? 'amd64',
        cache: join(temp.path, 'cache'),
        scratch: join(temp.path, 'scratch'),
        clock: { now: () => o.now ?? DATE + DAY },
        random: systemRandom,
        keyring: o.keyring ?? keyring,
        debianKeyrings: [],
      });
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}
