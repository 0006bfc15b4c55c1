import { chmodSync, copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ok } from '../lib/strake.ts';
import type { TestStore } from '../lib/store.ts';
import type { TestUser } from '../lib/user.ts';

const TOOLS =
  'cat chmod cp cut date echo env expr find grep head httpd id kill ln ls mkdir mv ps pwd rm sed sh sleep sort tail test touch tr true wc';

/** A buildpack of a test: its scripts, by name. */
export interface TestBuildpack {
  readonly id: string;
  readonly version?: string | undefined;
  readonly api?: string | undefined;
  /** What comes after `#!/bin/sh` and `set -eu`; absent: it passes. */
  readonly detect?: string | undefined;
  readonly build?: string | undefined;
  /** More of buildpack.toml. */
  readonly toml?: string | undefined;
}

export interface TestBuilder {
  readonly buildpacks: readonly TestBuildpack[];
  readonly extensions?: readonly TestExtension[] | undefined;
  /** order.toml; absent: one group of all. */
  readonly order?: string | undefined;
  readonly user?: TestUser | undefined;
}

/** An image extension of a test. */
export interface TestExtension {
  readonly id: string;
  readonly detect?: string | undefined;
  readonly generate: string;
}

/** Writes an extension's folder. */
export function writeExtension(folder: string, { id, detect = 'exit 0', generate }: TestExtension): void {
  write(join(folder, 'extension.toml'), `api = "0.12"\n[extension]\nid = "${id}"\nversion = "1.0.0"\n`);
  for (const [name, script] of Object.entries({ detect, generate })) {
    const path = join(folder, 'bin', name);
    write(path, `#!/bin/sh\nset -eu\n${script}\n`);
    chmodSync(path, 0o755);
  }
}

/** Writes a buildpack's folder. */
export function writeBuildpack(folder: string, buildpack: TestBuildpack): void {
  const { id, version = '1.0.0', api = '0.12', detect = 'exit 0', build = 'true', toml = '' } = buildpack;
  write(
    join(folder, 'buildpack.toml'),
    `api = "${api}"\n[buildpack]\nid = "${id}"\nversion = "${version}"\nname = "Test ${id}"\nsbom-formats = ["application/vnd.cyclonedx+json"]\n${toml}\n`,
  );
  for (const [name, script] of Object.entries({ detect, build })) {
    const path = join(folder, 'bin', name);
    write(path, `#!/bin/sh\nset -eu\n${script}\n`);
    chmodSync(path, 0o755);
  }
}

/** Builds the images "builder" and "run" into the store, of busybox alone: nothing is run or fetched. */
export async function buildTestBuilder(store: TestStore, o: TestBuilder): Promise<void> {
  const { user } = o;
  const context = join(store.work, 'builder');
  const root = join(context, 'root');
  for (const folder of ['bin', 'etc', 'tmp', 'home/cnb', 'usr']) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const tool of TOOLS.split(' ')) symlinkSync('busybox', join(root, 'bin', tool));
  mkdirSync(join(root, 'usr/bin'));
  symlinkSync('../../bin/busybox', join(root, 'usr/bin/env'));
  write(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\ncnb:x:1000:1000::/home/cnb:/bin/sh\n');
  write(join(root, 'etc/group'), 'root:x:0:\ncnb:x:1000:\n');
  write(join(root, 'etc/os-release'), 'ID=testos\nVERSION_ID=1\n');
  const cnb = join(context, 'cnb');
  for (const buildpack of o.buildpacks) {
    const { id, version = '1.0.0' } = buildpack;
    writeBuildpack(join(cnb, 'buildpacks', id.replaceAll('/', '_'), version), buildpack);
  }
  for (const extension of o.extensions ?? [])
    writeExtension(join(cnb, 'extensions', extension.id.replaceAll('/', '_'), '1.0.0'), extension);
  const extended = (o.extensions ?? []).map(
    ({ id }) => `[[order-extensions.group]]\nid = "${id}"\nversion = "1.0.0"\n`,
  );
  const entries = o.buildpacks.map(
    ({ id, version = '1.0.0' }) => `[[order.group]]\nid = "${id}"\nversion = "${version}"\n`,
  );
  write(
    join(cnb, 'order.toml'),
    o.order ??
      `[[order]]\n${entries.join('\n')}${extended.length > 0 ? `\n[[order-extensions]]\n${extended.join('\n')}` : ''}`,
  );
  write(join(cnb, 'run.toml'), '[[images]]\nimage = "docker.io/library/run"\nmirrors = ["mirror.example/run"]\n');
  mkdirSync(join(cnb, 'lifecycle'));
  cpSync(launcher(), join(cnb, 'lifecycle/launcher'));
  write(
    join(context, 'Dockerfile'),
    [
      'FROM scratch AS run',
      'COPY root /',
      'LABEL io.buildpacks.base.distro.name=testos io.buildpacks.base.distro.version=1',
      'ENV FROM_RUN=yes',
      'USER 1000:1000',
      'FROM run AS builder',
      'COPY cnb /cnb',
      'ENV CNB_USER_ID=1000 CNB_GROUP_ID=1000 FROM_BUILDER=yes',
      '',
    ].join('\n'),
  );
  for (const name of ['run', 'builder'])
    await ok(['build', '-q', '--target', name, '-t', name, context], {
      root: store.root,
      user,
      // The same images in every store.
      env: { SOURCE_DATE_EPOCH: '0' },
    });
}

/** The launcher of this machine's architecture. */
export function launcher(): string {
  return join(import.meta.dirname, '../../native/launcher', `launcher-${process.arch}`);
}

export function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
