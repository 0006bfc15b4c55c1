import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError, hasCode } from '../../base/index.ts';
import type { Flag } from './flag.ts';
import { EXECUTOR_FLAGS } from './flags.ts';
import { WARMER_FLAGS } from './warmer-flags.ts';
import { executorOptions, type ExecutorOptions } from './options.ts';
import { parseFlags } from './parse-flags.ts';
import { durationOf } from './values.ts';

/** Every flag of kaniko's executor and warmer (cmd/executor/cmd/root.go and cmd/warmer/cmd/root.go of 1.28, which has all of 1.24), with a value where it takes one. */
const EXECUTOR =
  `-f=x --dockerfile=x -c=x --context=x --context-sub-path=x -b=x --bucket=x -d=r/x --destination=r/x --build-arg=A=1 --target=a,b --label=a=b --annotation=a=b --custom-platform=linux/amd64 --customPlatform=linux/amd64
--git=branch=main --secret=id=PATH --ignore-path=/x --ignore-var-run --ignore-var-run=false --whitelist-var-run --force --dryrun --materialize --preserve-context --snapshot-mode=redo --snapshotMode=time --single-snapshot --use-new-run
--reproducible --compression=gzip --compression-level=3 --compressed-caching=false --image-format=docker --image-fs-extract-retry=1 --kaniko-dir=/k --cleanup --pre-cleanup --skip-unused-stages --force-build-metadata --cache --cache=true
--cache-repo=r/c --cache-dir=/c --cache-ttl=6h --cache-copy-layers --cache-run-layers=false --no-push-cache --no-push --tar-path=/t --tarPath=/t --oci-layout-path=/o --digest-file=/d --image-name-with-digest-file=/n
--image-name-tag-with-digest-file=/n --push-retry=1 --push-ignore-immutable-tag-errors --skip-push-permission-check --insecure --insecure-pull --skip-tls-verify --skip-tls-verify-pull --insecure-registry=r --skip-tls-verify-registry=r
--registry-certificate=r=/etc/hostname --registry-client-cert=r=/etc/hostname,/etc/hostname --registry-map=a=b;c=d --registry-mirror=m --skip-default-registry-fallback --image-download-retry=1 --credential-helpers=env
--verbosity=debug -v=debug --log-format=json --log-timestamp --azure-container-registry-config=x`.split(/\s+/);
const WARMER =
  `-i=x --image=x -d=x --dockerfile=x -c=x --cache-dir=x -f --force --cache-ttl=1h --customPlatform=linux/amd64 --custom-platform=linux/amd64 --build-arg=A --insecure-pull --skip-tls-verify-pull --insecure-registry=r
--skip-tls-verify-registry=r --registry-certificate=r=x --registry-client-cert=r=x,y --registry-map=a=b --registry-mirror=m --skip-default-registry-fallback -v=info --verbosity=info --log-format=text --log-timestamp`.split(
    /\s+/,
  );

const docs = readFileSync(join(import.meta.dirname, '../../../docs/from-kaniko.md'), 'utf8');

const options = (argv: readonly string[], env: Record<string, string> = {}): ExecutorOptions =>
  executorOptions(parseFlags(argv, EXECUTOR_FLAGS), { env, cwd: '/work' });

suite("kaniko's flags", () => {
  for (const [program, lines, flags] of [
    ['executor', EXECUTOR, EXECUTOR_FLAGS],
    ['warmer', WARMER, WARMER_FLAGS],
  ] as const)
    test(`${program}: every one is accepted, and stands in the table of docs/from-kaniko.md`, () => {
      const section = docs.slice(
        docs.indexOf(`### ${program}\n`),
        docs.indexOf('###', docs.indexOf(`### ${program}\n`) + 4),
      );
      for (const word of lines) {
        const parsed = parseFlags([word], flags);
        assert.equal(parsed.given.size, 1, word);
        const [name = ''] = parsed.given;
        assert.ok(section.includes(`\`--${name}\``), `--${name} is not in the table`);
      }
      const known = new Set(lines.flatMap((word) => [...parseFlags([word], flags).given]));
      const more = flags.filter(({ name }: Flag) => !known.has(name)).map(({ name }: Flag) => name);
      assert.deepEqual(
        more.filter(
          (name) =>
            name !== 'image-download-retry' &&
            name !== 'credential-helpers' &&
            name !== 'azure-container-registry-config',
        ),
        [],
      );
    });

  test('what has lost its meaning says so, what differs says how', () => {
    for (const flag of [...EXECUTOR_FLAGS, ...WARMER_FLAGS])
      assert.equal(flag.standing === 'same', flag.note === undefined, flag.name);
  });

  test('are read as pflag reads them', () => {
    const { values, words } = parseFlags(
      ['-d', 'a', '-db', '-d=c', '--destination', 'd', '--cache', 'false', '--no-push=false', '--', '-x'],
      EXECUTOR_FLAGS,
    );
    assert.deepEqual(values.get('destination'), ['a', 'b', 'c', 'd']);
    assert.deepEqual(values.get('cache'), ['true'], 'a bool takes its value after "=" only');
    assert.deepEqual(values.get('no-push'), ['false']);
    assert.deepEqual(words, ['false', '-x']);
    assert.throws(
      () => parseFlags(['--destinatoin=x'], EXECUTOR_FLAGS),
      (error) => hasCode(error, 'FLAG_INVALID') && error.remedy === 'Did you mean --destination?',
    );
    assert.throws(() => parseFlags(['-x'], EXECUTOR_FLAGS), /unknown flag/);
    assert.throws(() => parseFlags(['--destination'], EXECUTOR_FLAGS), /flag needs an argument/);
  });

  test('whatever is written, it is read or refused with a message', () => {
    const word = fc.oneof(
      fc.constantFrom('--cache', '-d', '--destination', '--', '-', '--=', '-=', '--cache=', '--git', '--secret'),
      fc.string(),
      fc.string().map((text) => `--${text}`),
      fc
        .tuple(fc.constantFrom(...EXECUTOR_FLAGS.map(({ name }) => name)), fc.string())
        .map(([name, text]) => `--${name}=${text}`),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          const { words, values } = parseFlags(argv, EXECUTOR_FLAGS);
          assert.ok(words.length + values.size <= argv.length);
          options([...argv, '--no-push']);
        } catch (error) {
          assert.ok(error instanceof CodedError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('durations as Go has them', () => {
    assert.equal(durationOf('336h', 'x'), 336 * 3_600_000);
    assert.equal(durationOf('1h30m', 'x'), 5_400_000);
    assert.equal(durationOf('1.5s', 'x'), 1500);
    assert.equal(durationOf('-2ms', 'x'), -2);
    assert.equal(durationOf('0', 'x'), 0);
    for (const text of ['6', '1d', 'h', '']) assert.throws(() => durationOf(text, 'x'), /not a span of time/, text);
  });
});

suite('options of executor', () => {
  test("defaults are kaniko's", () => {
    const o = options(['-d', 'r.example/app']);
    assert.equal(o.context, '/workspace/');
    assert.equal(o.dockerfile, 'Dockerfile');
    assert.equal(o.push, true);
    assert.equal(o.checkPush, true);
    assert.deepEqual(o.cache, {
      use: false,
      bases: false,
      push: true,
      repo: undefined,
      folder: '/cache',
      ttl: 336 * 3_600_000,
    });
    assert.deepEqual(o.leaveOut, ['/var/run']);
    assert.deepEqual(o.compression, { name: 'gzip' });
    assert.deepEqual(o.registries.helpers, ['env', 'google', 'ecr', 'acr', 'gitlab']);
  });

  test('the environment stands for flags', () => {
    assert.equal(options([], { KANIKO_NO_PUSH: 'true' }).push, false);
    assert.throws(() => options([], { KANIKO_NO_PUSH: 'yes' }), /neither true nor false/);
    assert.equal(options(['--no-push'], { KANIKO_DIR: '/k' }).kanikoFolder, '/k');
    assert.equal(options(['--no-push', '--kaniko-dir=/j'], { KANIKO_DIR: '/k' }).kanikoFolder, '/j');
    assert.equal(options(['--no-push'], { KANIKO_CLEANUP: '1' }).cleanup, true);
    assert.equal(options(['--no-push', '--cleanup=false'], { KANIKO_CLEANUP: '1' }).cleanup, false);
    const { mirrors } = options(['--no-push', '--registry-mirror=one'], {
      KANIKO_REGISTRY_MIRROR: 'two:5000',
      KANIKO_REGISTRY_MAP: 'index.docker.io=three/sub/;quay.io=q',
    }).registries.settings;
    assert.deepEqual(
      mirrors?.('docker.io').map(({ host, path }) => [host, path]),
      [
        ['three', 'sub'],
        ['one', undefined],
        ['two:5000', undefined],
      ],
    );
    assert.deepEqual(
      mirrors?.('quay.io').map(({ host }) => host),
      ['q'],
    );
    assert.deepEqual(
      [...options(['--no-push', '--build-arg=A', '--build-arg=B', '--build-arg=C=c=d'], { A: 'x' }).buildArgs],
      [
        ['A', 'x'],
        ['B', ''],
        ['C', 'c=d'],
      ],
    );
  });

  test('what turns the cache on and off', () => {
    const of = (...argv: string[]) => options(['-d', 'r.example/app', ...argv]).cache;
    assert.equal(of('--cache').use, true);
    assert.equal(of('--cache=false').use, false);
    assert.equal(of('--cache', '--cache-run-layers=false').use, false);
    assert.equal(of('--cache', '--no-push-cache').push, false);
    assert.equal(of('--cache', '--cache-ttl=90m').ttl, 5_400_000);
  });

  test('a bucket is a context', () => {
    assert.equal(options(['--no-push', '-b', 'b/o']).context, 'gs://b/o');
    assert.equal(options(['--no-push', '-b', 's3://b/o']).context, 's3://b/o');
  });

  test('how registries are spoken to', () => {
    const of = (...argv: string[]) => options(['-d', 'r.example:5000/app', ...argv]).registries.settings;
    assert.deepEqual(of('--insecure').insecure, ['r.example:5000']);
    assert.deepEqual(of('--insecure-pull').insecure, ['*']);
    assert.deepEqual(of('--insecure-registry=a', '--insecure-registry=b').insecure, ['a', 'b']);
    assert.deepEqual(of('--skip-tls-verify').skipVerify, ['*']);
    assert.deepEqual(of('--skip-tls-verify').insecure, [], 'TLS all the same');
    assert.deepEqual(of('--push-retry=3').retry, { attempts: 9 });
  });

  test('what cannot be meant', () => {
    for (const [argv, message] of [
      [[], /you must provide --destination, or use --no-push/],
      [['-d', 'a', '--image-format=docker', '--compression=zstd'], /cannot be used with --image-format=docker/],
      [['-d', 'a', '--tar-path=x', '--compression=zstd'], /cannot be used with --tar-path/],
      [['--no-push', '--cache'], /specify cache repo with --cache-repo/],
      [['--no-push', '--image-name-with-digest-file=x'], /needs a name/],
      [['-d', 'a', '--compression=xz'], /"gzip" or "zstd"/],
      [['-d', 'a', '--snapshot-mode=fast'], /full, redo or time/],
      [['-d', 'a', '--git', 'depth'], /key=value format/],
      [['-d', 'a', '--label', 'x', '--cache=maybe'], /neither true nor false/],
      [['-d', 'a', '--registry-client-cert', 'r=/x'], /expected format/],
      [['-d', 'a', '--secret', 'src=x'], /secret requires id=ID/],
      [['-d', 'a', '--secret', 'id=x,src=/nowhere'], /read secret "x" from "\/nowhere"/],
      [['-d', 'a', '--custom-platform=x/'], /platform/],
      [['-d', 'A'], /image name/],
    ] as const)
      assert.throws(() => options(argv), message, argv.join(' '));
  });
});
