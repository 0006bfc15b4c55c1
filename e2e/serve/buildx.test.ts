import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { strake } from '../lib/strake.ts';
import { Daemon } from './client.ts';

/**
 * docker buildx, unmodified, by strake's daemon and by docker's own BuildKit: each line on both. STRAKE_TEST_PEERS names a command that runs its arguments where docker 28 and buildx are and this machine's / is at /host; loopback is
 * shared. Needs busybox and docker-registry.
 */
const enter = process.env['STRAKE_TEST_PEERS'];
const skip =
  enter === undefined ? 'needs docker 28 with buildx: STRAKE_TEST_PEERS names the command that runs them' : false;

const folder = mkdtempSync(join(tmpdir(), 'strake-buildx-'));
const host = `/host${folder}`;
const BUILDER = `strake-test-${process.pid}`;
let daemon: Daemon;
let registry: { readonly address: string; stop(): void };

before(async () => {
  if (skip !== false) return;
  registry = await startRegistry();
  writeInputs();
  daemon = await Daemon.start(join(folder, 'daemon'), ['--allow-insecure-entitlement', 'network.host']);
  const made = await docker([
    'buildx',
    'create',
    '--name',
    BUILDER,
    '--driver',
    'remote',
    `unix:///host${daemon.socket}`,
  ]);
  assert.equal(made.code, 0, made.text);
  const base = join(folder, 'base');
  const pushed = await docker([
    'buildx',
    'build',
    '--builder',
    BUILDER,
    '--provenance=false',
    '--push',
    '-t',
    `${registry.address}/base:1`,
    '-f',
    `${host}/base.Dockerfile`,
    `/host${base}`,
  ]);
  assert.equal(pushed.code, 0, pushed.text);
});

after(async () => {
  if (skip === false) {
    await docker(['buildx', 'rm', '--keep-state', BUILDER]);
    await daemon[Symbol.asyncDispose]();
    registry.stop();
  }
  rmSync(folder, { recursive: true, force: true });
});

interface Line {
  readonly name: string;
  /** Words after `docker buildx`; OUT stands for a folder of the builder's own, REG for the registry. */
  readonly words: readonly string[];
  /** What it writes, to be compared: kind and path (OUT) or name (REG). */
  readonly compare?: readonly string[];
  /** What the last words of a failure have in common. */
  readonly says?: RegExp;
  readonly stdin?: string;
}

const build = (name: string, words: readonly string[], more: Partial<Line> = {}): Line => ({
  name,
  words: ['build', ...words],
  ...more,
});
const CONTEXT = `${host}/context`;
const file = (name: string): string[] => ['-f', `${host}/${name}.Dockerfile`];

const LINES: readonly Line[] = [
  build('oci', ['--provenance=false', '-o', 'type=oci,dest=/hostOUT/a.tar', CONTEXT], {
    compare: ['oci-archive:OUT/a.tar'],
  }),
  build('docker', ['-o', 'type=docker,dest=/hostOUT/d.tar', CONTEXT], { compare: ['docker-archive:OUT/d.tar'] }),
  build('local', ['-o', 'type=local,dest=/hostOUT/local', CONTEXT], { compare: ['dir:OUT/local'] }),
  build('tar', ['-o', 'type=tar,dest=/hostOUT/t.tar', CONTEXT], { compare: ['OUT/t.tar'] }),
  build('layout', ['--provenance=false', '-o', 'type=oci,tar=false,dest=/hostOUT/layout', CONTEXT], {
    compare: ['oci:OUT/layout'],
  }),
  build('push', ['--provenance=false', '--push', '-t', 'REG/pushed:1', CONTEXT], {
    compare: ['docker://REG/pushed:1'],
  }),
  build('load', ['--load', '-t', 'REG/loaded:1', CONTEXT]),
  build('several outputs', ['-o', 'type=tar,dest=/hostOUT/s.tar', '-o', 'type=local,dest=/hostOUT/s', CONTEXT], {
    compare: ['OUT/s.tar', 'dir:OUT/s'],
  }),
  build(
    'secret',
    [
      '--no-cache',
      '--secret',
      `id=s,src=${host}/secret`,
      ...file('secret'),
      '-o',
      'type=local,dest=/hostOUT/sec',
      CONTEXT,
    ],
    { compare: ['dir:OUT/sec'] },
  ),
  build('args', ['--build-arg', 'X=9', ...file('stages'), '-o', 'type=local,dest=/hostOUT/args', CONTEXT], {
    compare: ['dir:OUT/args'],
  }),
  build('target', ['--target', 'first', ...file('stages'), '-o', 'type=local,dest=/hostOUT/target', CONTEXT], {
    compare: ['dir:OUT/target'],
  }),
  build(
    'named contexts',
    [
      '--build-context',
      `other=${host}/other`,
      '--build-context',
      'app=docker-image://REG/base:1',
      ...file('named'),
      '-o',
      'type=local,dest=/hostOUT/named',
      CONTEXT,
    ],
    { compare: ['dir:OUT/named'] },
  ),
  build('context from stdin', ['-o', 'type=local,dest=/hostOUT/stdin', '-'], {
    stdin: 'context.tar',
    compare: ['dir:OUT/stdin'],
  }),
  build('Dockerfile from stdin', ['-f', '-', '-o', 'type=local,dest=/hostOUT/dstdin', CONTEXT], {
    stdin: 'stages.Dockerfile',
    compare: ['dir:OUT/dstdin'],
  }),
  build('--call check', ['--call', 'check', ...file('bad'), CONTEXT]),
  build('--call outline', ['--call', 'outline', ...file('stages'), CONTEXT]),
  build('--call targets', ['--call', 'targets', ...file('stages'), CONTEXT]),
  build('cache to a registry', [
    '--cache-to',
    'type=registry,ref=REG/cache:1,mode=max',
    '-o',
    'type=cacheonly',
    CONTEXT,
  ]),
  build('cache from a registry', ['--cache-from', 'type=registry,ref=REG/cache:1', '-o', 'type=cacheonly', CONTEXT]),
  build('cache to a folder', [
    '--cache-to',
    'type=local,dest=/hostOUT/cache,mode=max',
    '-o',
    'type=cacheonly',
    CONTEXT,
  ]),
  build('cache from a folder', ['--cache-from', 'type=local,src=/hostOUT/cache', '-o', 'type=cacheonly', CONTEXT]),
  build(
    'platforms',
    [
      '--provenance=false',
      '--platform',
      'linux/amd64,linux/386',
      ...file('platform'),
      '--push',
      '-t',
      'REG/m:1',
      CONTEXT,
    ],
    {
      compare: ['docker://REG/m:1'],
    },
  ),
  build('metadata file', [
    '--metadata-file',
    '/hostOUT/meta.json',
    '-t',
    'REG/x:1',
    '-o',
    'type=oci,dest=/hostOUT/m.tar',
    CONTEXT,
  ]),
  build('provenance', ['--provenance=mode=max', '-o', 'type=oci,dest=/hostOUT/p.tar', CONTEXT]),
  build('a step that fails', [...file('fail'), CONTEXT], { says: /did not complete successfully: exit code: 3$/ }),
  build('a wrong word', [...file('parse'), CONTEXT], {
    says: /dockerfile parse error on line 2: unknown instruction: RUNN/,
  }),
  build('a missing file', [...file('missing'), CONTEXT], { says: /"\/nothere": not found$/ }),
  { name: 'bake', words: ['bake', '-f', `${host}/bake.hcl`, '--allow=fs=/host'] },
  { name: 'du', words: ['du'] },
  { name: 'history ls', words: ['history', 'ls'] },
];

if (skip !== false) test('docker buildx by strake and by BuildKit', { skip }, () => undefined);
for (const line of skip === false ? LINES : [])
  test(`docker buildx: ${line.name}`, async () => {
    const [ours, theirs] = [await run(line, BUILDER), await run(line, 'default')];
    assert.equal(ours.code, theirs.code, `${ours.text}\n--- docker's:\n${theirs.text}`);
    if (line.says) {
      assert.match(ours.text.trimEnd(), line.says);
      assert.match(theirs.text.trimEnd(), line.says);
      assert.match(ours.text, / >>> /, 'it quotes the file');
    }
    for (const place of line.compare ?? []) {
      const [a, b] = [of(place, BUILDER), of(place, 'default')];
      const difference = await strake(['diff', '--ignore', 'times,layers', a, b], { root: join(folder, 'store') });
      assert.equal(difference.code, 0, difference.stdout + difference.stderr);
    }
  });

const out = (builder: string): string => join(folder, builder === BUILDER ? 'ours' : 'theirs');
const of = (text: string, builder: string): string =>
  text
    .replaceAll('OUT', out(builder))
    .replaceAll(/REG\/(?!base)/g, `${registry.address}/${builder === BUILDER ? 'o' : 't'}-`)
    .replaceAll('REG', registry.address);

async function run(line: Line, builder: string): Promise<{ code: number; text: string }> {
  mkdirSync(out(builder), { recursive: true });
  const [first = '', ...rest] = line.words.map((word) => of(word, builder));
  const words =
    first === 'history' ? ['history', ...rest, '--builder', builder] : [first, '--builder', builder, ...rest];
  const progress = first === 'build' && !line.words.includes('--call') ? ['--progress=plain'] : [];
  return docker(['buildx', ...words, ...progress], line.stdin === undefined ? undefined : join(folder, line.stdin));
}

async function docker(words: readonly string[], stdin?: string): Promise<{ code: number; text: string }> {
  const [program = '', ...before] = (enter ?? '').split(' ');
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...before, 'docker', ...words],
      { timeout: 120_000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, text: stdout + stderr }),
    );
    child.stdin?.end(stdin === undefined ? undefined : readFileSync(stdin));
  });
}

async function startRegistry(): Promise<typeof registry> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const config = join(folder, 'registry.yml');
  const storage = join(folder, 'registry');
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const address = `127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    if (
      await fetch(`http://${address}/v2/`).then(
        () => true,
        () => false,
      )
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { address, stop: () => void child.kill() };
}

function writeInputs(): void {
  const base = join(folder, 'base');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'root'])
    mkdirSync(join(base, name), { recursive: true });
  copyFileSync('/bin/busybox', join(base, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'echo', 'ls']) symlinkSync('busybox', join(base, 'bin', name));
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\n');
  mkdirSync(join(folder, 'context/sub'), { recursive: true });
  mkdirSync(join(folder, 'other'));
  const from = `FROM ${registry.address}/base:1`;
  const files: Readonly<Record<string, string>> = {
    'base.Dockerfile': 'FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sh"]\n',
    'context/Dockerfile': `${from}\nARG X=1\nCOPY a.txt sub /app/\nRUN echo "x is $X" > /x\nLABEL a=b\nUSER root\n`,
    'context/a.txt': 'a\n',
    'context/sub/b.txt': 'b\n',
    'other/o.txt': 'other\n',
    secret: 'very secret\n',
    'secret.Dockerfile': `${from}\nRUN --mount=type=secret,id=s cat /run/secrets/s > /copied\n`,
    'stages.Dockerfile': `ARG X=1\n${from} AS first\nARG X\nRUN echo first $X > /f\nFROM first AS second\nRUN echo second > /s\n${from}\nCOPY --from=second /s /f /\n`,
    'named.Dockerfile': 'FROM app\nCOPY --from=other o.txt /\n',
    'bad.Dockerfile': `from ${registry.address}/base:1 as A\nRUN echo $UNDEF\nMAINTAINER me\n`,
    'platform.Dockerfile': 'FROM scratch\nARG TARGETARCH\nCOPY a.txt /$TARGETARCH.txt\n',
    'fail.Dockerfile': `${from}\n\nRUN echo before\nRUN echo now && exit 3\n`,
    'parse.Dockerfile': `${from}\nRUNN echo\n`,
    'missing.Dockerfile': `${from}\nCOPY nothere /x\n`,
    'bake.hcl': [
      'group "default" {\n  targets = ["a", "b"]\n}',
      `target "below" {\n  context = "${host}/context"\n}`,
      `target "a" {\n  context = "${host}/context"\n  contexts = { below = "target:below" }\n  dockerfile-inline = "FROM below\\nRUN echo a > /a"\n  output = ["type=cacheonly"]\n}`,
      `target "b" {\n  context = "${host}/context"\n  dockerfile = "${host}/stages.Dockerfile"\n  output = ["type=cacheonly"]\n}`,
    ].join('\n'),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const packed = spawnSync('tar', ['-C', join(folder, 'context'), '-cf', join(folder, 'context.tar'), '.']);
  assert.equal(packed.status, 0);
}
