import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { emptyStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake } from '../lib/strake.ts';
import { testUser, userLacking } from '../lib/user.ts';

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };

suite('starting strake', () => {
  test('the program is text of which each byte is a character, as it is read', () => {
    assert.equal(readFileSync(join(CHECKOUT, 'dist/program.cjs'), 'latin1').search(/[^\x00-\x7f]/), -1);
  });

  test('characters beyond ASCII mean the same in the program as in the sources', async () => {
    using store = emptyStore();
    writeFileSync(
      join(store.work, 'Dockerfile'),
      'FROM scratch\nCOPY Dockerfile /\nHEALTHCHECK --interval=1500000µs CMD ["/x"]\n',
    );
    await ok(['build', store.work, '-t', 'healthy'], store);
    assert.match((await ok(['inspect', 'healthy'], store)).stdout, /"Interval": 1500000000\b/);
  });

  test('the version, from anywhere and through a link', async () => {
    using store = emptyStore();
    const link = join(store.work, 'linked');
    symlinkSync(join(CHECKOUT, 'strake'), link);
    const env = { PATH: process.env['PATH'] ?? '', HOME: store.work };
    const linked = execFileSync('./linked', ['version'], { cwd: store.work, env, encoding: 'utf8' });
    assert.match(linked, new RegExp(`^strake ${version.replaceAll('.', String.raw`\.`)}( \\([0-9a-f]+\\+?\\))?\n$`));
    assert.equal((await ok(['--version'], store)).stdout, linked);
    const { node, ...json } = JSON.parse((await ok(['version', '--format', 'json'], store)).stdout) as Record<
      string,
      string
    >;
    assert.equal(json['version'], version);
    assert.match(node ?? '', /^v26\./);
    assert.equal(existsSync(store.root), false, 'no store is made for that');
  });

  test('version and help load neither undici nor sqlite nor what else only builds need', () => {
    using store = emptyStore();
    const trace = join(store.work, 'trace.cjs');
    writeFileSync(
      trace,
      'process.on("exit", () => process.stderr.write(`\\nloaded: ${[...process.moduleLoadList, ...Object.keys(require.cache)].join(" ")}\\n`))',
    );
    for (const args of [['version'], ['--help'], ['build', '--help'], ['help', 'exit-codes']]) {
      const traced = spawnSync(process.execPath, ['-r', trace, join(CHECKOUT, 'dist/main.cjs'), ...args], {
        encoding: 'utf8',
      });
      assert.equal(traced.status, 0, traced.stderr.slice(-1000));
      const [, loaded = ''] = /^loaded: (.*)$/m.exec(traced.stderr) ?? [];
      assert.match(loaded, /NativeModule vm/, 'the trace is there');
      for (const word of ['undici.cjs', 'sqlite', 'ffi', 'http2', 'worker_threads', 'child_process'])
        assert.equal(loaded.includes(word), false, `"${args.join(' ')}" loads ${word}`);
    }
  });

  test('the code kept beside the bundle is taken, and made anew when it is not this one', async () => {
    using store = emptyStore();
    await ok(['version'], store);
    cpSync(join(CHECKOUT, 'dist'), join(store.work, 'dist'), { recursive: true });
    // There is more for builds on a daemon, and for daemons.
    const codes = (): string[] => readdirSync(join(store.work, 'dist')).filter((name) => name.includes('.code'));
    const before = codes();
    const path = join(store.work, 'dist', before.find((name) => /^program-[0-9a-f]+\.code$/.test(name)) ?? '');
    const kept = readFileSync(path);
    const { mtimeMs } = statSync(path);
    writeFileSync(join(store.work, 'Dockerfile'), 'FROM scratch\nENV A=b\n');
    const build = (): void =>
      void execFileSync(
        process.execPath,
        [join(store.work, 'dist/main.cjs'), 'build', store.work, '--root', store.root],
        {
          stdio: 'ignore',
        },
      );
    build();
    assert.equal(statSync(path).mtimeMs, mtimeMs);
    writeFileSync(path, kept.subarray(0, 1000));
    build();
    assert.ok(statSync(path).size > 100_000);
    rmSync(path);
    build();
    assert.ok(statSync(path).size > 100_000);
    assert.deepEqual(codes(), before);
  });

  test('an ordinary user may use a checkout that he cannot write to', { skip: userLacking() ?? false }, async () => {
    using user = testUser();
    using store = emptyStore(user);
    const { stdout } = await ok(['version'], { root: store.root, user, cwd: '/' });
    assert.match(stdout, /^strake /);
  });

  test('exit codes by kind of error', async () => {
    using store = emptyStore();
    for (const [args, code] of [
      [['help'], 0],
      [['nonsense'], 64],
      [['build', '--no-such-flag'], 64],
      [['build', join(store.work, 'missing')], 66],
      [['inspect', 'missing'], 66],
      [['pull', 'UPPER/case'], 64],
      [['copy', 'docker://127.0.0.1:1/x', 'store:x'], 69],
      [['login', '127.0.0.1:1', '-u', 'a', '--password-stdin'], 69],
      [['images', '--root', '/dev/null/store'], 77],
    ] as const) {
      const result = await strake(args, { root: store.root, input: 'secret' });
      assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
      assert.equal(/\bat .*\.js:\d+/.test(result.stderr), false, `a stack trace: ${result.stderr}`);
      if (code !== 0) assert.match(result.stderr, /^error: /m);
    }
  });

  test('completion scripts are scripts', async () => {
    using store = emptyStore();
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await ok(['completion', shell], store);
      if (spawnSync('sh', ['-c', `command -v ${shell}`]).status !== 0) continue;
      const checked = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' });
      assert.equal(checked.status, 0, `${shell}: ${checked.stderr}`);
    }
  });

  test('bash completes commands, flags and values', async () => {
    using store = emptyStore();
    const { stdout } = await ok(['completion', 'bash'], store);
    const complete = (...words: string[]): string[] => {
      const script = `${stdout}\nCOMP_WORDS=(strake ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _strake; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
    };
    assert.deepEqual(complete('bui'), ['build', 'builder', 'buildpack']);
    assert.deepEqual(complete('base', 'cr'), ['create']);
    assert.deepEqual(complete('build', '--meta'), ['--metadata-file']);
    assert.deepEqual(complete('build', '--progress', 'pl'), ['plain']);
    assert.deepEqual(complete('rmi', '--fo'), ['--force']);
  });
});

suite('the package', () => {
  test('holds what it needs and starts on the Node that npm brings, or says what is missing', async () => {
    using store = emptyStore();
    await ok(['version'], store);
    const env = { ...process.env, npm_config_cache: join(store.work, 'cache') };
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', store.work], {
        cwd: CHECKOUT,
        encoding: 'utf8',
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as [{ filename: string; files: { path: string }[] }];
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      'dist/strake.js',
      'dist/main.cjs',
      'dist/program.cjs',
      'dist/codec-worker.js',
      'package.json',
      'LICENSE',
    ])
      assert.ok(paths.includes(path), path);
    assert.deepEqual(
      paths.filter((path) => /^(src|e2e|scripts|node_modules)\/|\.ts$/.test(path)),
      [],
    );
    const modules = join(store.work, 'app/node_modules');
    mkdirSync(modules, { recursive: true });
    execFileSync('tar', ['xzf', join(store.work, packed.filename), '-C', modules]);
    execFileSync('mv', [join(modules, 'package'), join(modules, 'strake')]);
    const bin = join(store.work, 'strake');
    symlinkSync(join(modules, 'strake/dist/strake.js'), bin);
    chmodSync(join(modules, 'strake/dist/strake.js'), 0o755);
    // The oldest Node here starts it, as `#!/usr/bin/env node` would.
    const node = ['/usr/bin/node', process.execPath].find((path) => existsSync(path)) ?? process.execPath;
    const start = (...args: string[]): ReturnType<typeof spawnSync> =>
      spawnSync(node, [bin, ...args], {
        encoding: 'utf8',
        env: { ...process.env, STRAKE_ROOT: store.root, NO_COLOR: '1' },
      });
    const major = Number(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.slice(1).split('.')[0]);
    if (major < 26) {
      const alone = start('version');
      assert.equal(alone.status, 78);
      assert.match(String(alone.stderr), /it needs Node 26.*\nhelp: Install strake anew with optional dependencies/);
    }
    for (const name of readdirSync(join(CHECKOUT, 'node_modules')).filter((one) => one.startsWith('node-linux-')))
      symlinkSync(join(CHECKOUT, 'node_modules', name), join(modules, name));
    const started = start('version');
    assert.equal(started.status, 0, String(started.stderr));
    assert.match(String(started.stdout), /^strake /);
    assert.equal(start('inspect', 'nothing').status, 66, 'the exit code is passed on');
  });
});
