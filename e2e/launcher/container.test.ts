/** The launcher as the first process of a container that holds nothing but it, layers and an application: no shell, no library. Needs root, runc and busybox. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { metadataOf } from '../../native/launcher/rig.ts';
import { inContainer, type Ran } from '../inplace/container.ts';

const LAUNCHER = join(import.meta.dirname, `../../native/launcher/launcher-${process.arch}`);
const runtime = findTool('runc') === undefined ? undefined : 'runc';
const busybox = findTool('busybox');
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : runtime === undefined
      ? 'needs runc'
      : busybox === undefined
        ? 'needs busybox'
        : findTool('unshare') === undefined
          ? 'needs unshare'
          : false;

/** As the exporter sets it. */
const ENV = [
  'PATH=/cnb/process:/cnb/lifecycle:/usr/bin',
  'CNB_LAYERS_DIR=/layers',
  'CNB_APP_DIR=/workspace',
  'CNB_PLATFORM_API=0.15',
  'CNB_DEPRECATION_MODE=quiet',
];
const METADATA = metadataOf(
  { 'test/one': '0.12', 'test/old': '0.8' },
  { type: 'web', command: ['env', '-u', 'NONE'], args: ['env'], direct: true, 'buildpack-id': 'test/one' },
  { type: 'say', command: ['echo', 'always'], args: ['by default'], direct: true, 'buildpack-id': 'test/one' },
  { type: 'where', command: ['pwd'], direct: true, 'working-dir': '/layers/config', 'buildpack-id': 'test/one' },
  { type: 'fails', command: ['false'], direct: true, 'buildpack-id': 'test/one' },
  { type: 'shell', command: 'env', 'buildpack-id': 'test/old' },
  { type: 'tests', command: ['env'], direct: true, 'exec-env': ['test'], 'buildpack-id': 'test/one' },
);

/** A program of a few instructions that writes a text to its file 3, for this machine. */
function teller(text: string): Buffer {
  const content = Buffer.from(text);
  const x64 = Buffer.concat([
    // write(3, text after the code, size); exit_group(0)
    Buffer.from([
      0xbf,
      3,
      0,
      0,
      0,
      0x48,
      0x8d,
      0x35,
      0x15,
      0,
      0,
      0,
      0xba,
      content.length,
      0,
      0,
      0,
      0xb8,
      1,
      0,
      0,
      0,
      0x0f,
      0x05,
    ]),
    Buffer.from([0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]),
  ]);
  const arm64 = Buffer.alloc(32);
  [
    0xd2800060, // mov x0, #3
    0x100000e1, // adr x1, 28 bytes on
    0xd2800002 | (content.length << 5), // mov x2, #size
    0xd2800808, // mov x8, #64
    0xd4000001, // svc #0
    0xd2800000, // mov x0, #0
    0xd2800bc8, // mov x8, #94
    0xd4000001, // svc #0
  ].forEach((instruction, i) => arm64.writeUInt32LE(instruction >>> 0, i * 4));
  const code = process.arch === 'x64' ? x64 : arm64;
  const size = 120 + code.length + content.length;
  const elf = Buffer.alloc(120);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(process.arch === 'x64' ? 62 : 183, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(0x400078n, 24);
  elf.writeBigUInt64LE(64n, 32);
  [64, 56, 1].forEach((value, i) => elf.writeUInt16LE(value, 52 + 2 * i));
  elf.writeUInt32LE(1, 64);
  elf.writeUInt32LE(5, 68);
  [0n, 0x400000n, 0x400000n, BigInt(size), BigInt(size), 0x1000n].forEach((value, i) =>
    elf.writeBigUInt64LE(value, 72 + 8 * i),
  );
  return Buffer.concat([elf, code, content]);
}

let root = '';
before(() => {
  if (skip !== false) return;
  root = mkdtempSync(join(tmpdir(), 'strake-launcher-root-'));
  const put = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), 0o755);
  };
  for (const path of ['cnb/lifecycle', 'cnb/process', 'workspace', 'proc', 'dev', 'sys', 'etc', 'usr/bin'])
    mkdirSync(join(root, path), { recursive: true });
  copyFileSync(LAUNCHER, join(root, 'cnb/lifecycle/launcher'));
  for (const type of ['web', 'say', 'where', 'fails', 'shell', 'tests'])
    symlinkSync('/cnb/lifecycle/launcher', join(root, 'cnb/process', type));
  put('layers/config/metadata.toml', METADATA);
  put('layers/test_one/tools/bin/busybox', readFileSync(busybox ?? ''));
  for (const name of ['env', 'echo', 'pwd', 'false'])
    symlinkSync('busybox', join(root, 'layers/test_one/tools/bin', name));
  put('layers/test_one/tools/env.launch/GREETING.append', ' there');
  put('layers/test_one/tools/env.launch/GREETING.default', 'hello');
  put('layers/test_one/tools/env.launch/web/ONLY_WEB', '1');
  put('layers/test_one/tools/exec.d/tell', teller('TOLD = "by exec.d"\n'));
  put('layers/test_old/libs/lib/x', '');
});
after(() => rmSync(root, { recursive: true, force: true }));

const run = (args: readonly string[], env: readonly string[] = []): Promise<Ran> =>
  inContainer(args, { rootfs: root, runtime, env: [...ENV, ...env], cwd: '/workspace' });

test('a direct process gets the launch environment, and nothing of the lifecycle’s', { skip }, async () => {
  const { code, stdout, stderr } = await run(['/cnb/process/web'], ['GREETING=hi']);
  assert.equal(code, 0, stderr);
  const lines = stdout.split('\n').filter((line) => !/^(?:HOME|HOSTNAME|TERM)=/.test(line));
  assert.deepEqual(lines, [
    'PATH=/layers/test_one/tools/bin:/usr/bin',
    'GREETING=hi there',
    'ONLY_WEB=1',
    'LD_LIBRARY_PATH=/layers/test_old/libs/lib',
    'TOLD=by exec.d',
    '',
  ]);
});

/** [arguments, more environment, exit code, output] */
const ROWS: readonly (readonly [readonly string[], readonly string[], number, string])[] = [
  [['/cnb/process/say'], [], 0, 'always by default\n'],
  [['/cnb/process/say', 'mine', '$HOME'], [], 0, 'always mine $HOME\n'],
  [['/cnb/process/where'], [], 0, '/layers/config\n'],
  [['/cnb/process/fails'], [], 1, ''],
  [['/cnb/lifecycle/launcher', '--', 'echo', 'a', '--'], [], 0, 'a --\n'],
  [['/cnb/lifecycle/launcher', '--', 'pwd'], [], 0, '/workspace\n'],
  [
    ['/cnb/process/tests'],
    ['CNB_EXEC_ENV=production'],
    82,
    'ERROR: failed to launch: determine start command: process type tests was not found: it is not for the execution environment "production"\n',
  ],
  [
    ['/cnb/process/shell'],
    [],
    82,
    'ERROR: failed to launch: bash exec: /bin/bash: no such file or directory; with "--" before it a command is started without a shell\n',
  ],
  [
    ['/cnb/lifecycle/launcher'],
    [],
    82,
    'ERROR: failed to launch: determine start command: when there is no default process a command is required\n',
  ],
  [
    ['/cnb/lifecycle/launcher', '--', 'echo'],
    ['CNB_PLATFORM_API=0.16'],
    11,
    "ERROR: failed to set platform API: platform API version '0.16' is incompatible with the lifecycle; it knows 0.7 to 0.15\n",
  ],
];

test('processes, commands and errors in a container without a shell', { skip }, async () => {
  for (const [args, env, code, output] of ROWS) {
    const ran = await run(args, env);
    assert.deepEqual([ran.code, ran.stdout + ran.stderr], [code, output], args.join(' '));
  }
});

test('as the first process it ends on SIGTERM while an exec.d program runs', { skip, timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-launcher-'));
  try {
    for (const path of ['layers/config', 'layers/a/l/exec.d', 'app'])
      mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, 'layers/config/metadata.toml'), metadataOf({ a: '0.12' }));
    writeFileSync(join(folder, 'layers/a/l/exec.d/wait'), '#!/bin/sh\necho waits\nexec sleep 600 3>&-\n', {
      mode: 0o755,
    });
    const env = {
      PATH: '/usr/bin:/bin',
      CNB_PLATFORM_API: '0.15',
      CNB_LAYERS_DIR: join(folder, 'layers'),
      CNB_APP_DIR: join(folder, 'app'),
    };
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', LAUNCHER, '--', 'true'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await new Promise<unknown>((resolve) => child.stdout.once('data', resolve));
    const inside = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
    assert.ok(inside > 1);
    process.kill(inside, 'SIGTERM');
    assert.equal(await ended, 143);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
