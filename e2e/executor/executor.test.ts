import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { folderWith, noBusybox, shellContext } from '../cli/context.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore } from '../lib/store.ts';
import { CHECKOUT, strake, type StrakeResult } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';

const skip = lacking('docker-registry', 'skopeo', 'htpasswd');
const TINY = {
  Dockerfile: 'FROM scratch\nARG WORD=none\nCOPY hello /hello\nCOPY hello /var/run/x\nLABEL word=$WORD\n',
  hello: 'hello\n',
};
const DIGEST = /^sha256:[0-9a-f]{64}$/;

interface World {
  readonly root: string;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
}
const executor = (args: readonly string[], o: World): Promise<StrakeResult> => strake(['executor', ...args], o);
async function succeeds(args: readonly string[], o: World): Promise<StrakeResult> {
  const result = await executor(args, o);
  assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
  return result;
}
interface Shown {
  readonly Digest: string;
  readonly Layers: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}
const inspect = async (folder: string, place: string): Promise<Shown> =>
  JSON.parse(await skopeo(folder, 'inspect', '--tls-verify=false', place)) as Shown;

suite('executor', { skip }, () => {
  test('pushes to every destination, and writes the files that pipelines read', async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path);
    const o = { root: store.root, cwd: store.work };
    folderWith(join(store.work, 'c'), TINY);
    const at = (name: string): string => join(store.work, 'deep/er', name);
    mkdirSync(at('out'), { recursive: true });
    const [one, two] = [`${registry.host}/team/app:1`, `${registry.host}/other`];
    const { stderr, stdout } = await succeeds(
      [
        '-c',
        'c',
        '-d',
        one,
        `--destination=${two}`,
        '--build-arg=WORD=said',
        '--label',
        'more=yes',
        '--annotation=a=b',
        `--digest-file=${at('new/digest')}`,
        '--image-name-with-digest-file',
        at('name'),
      ],
      { ...o, env: { BUILDER_OUTPUT: at('out') } },
    );
    assert.equal(stdout, '');
    const digest = readFileSync(at('new/digest'), 'utf8');
    assert.match(digest, DIGEST);
    assert.equal(
      readFileSync(at('name'), 'utf8'),
      `${registry.host}/team/app@${digest}\n${registry.host}/other@${digest}\n`,
    );
    assert.equal(readFileSync(at('out/images'), 'utf8').trim().split('\n').length, 2);
    for (const line of [
      `Pushing image to ${one}`,
      `Pushed ${registry.host}/team/app@${digest}`,
      `Pushed ${registry.host}/other@${digest}`,
      'COPY hello /hello',
    ])
      assert.ok(stderr.includes(`\x1b[36mINFO\x1b[0m[0000] ${line}`) || stderr.includes(`] ${line} `), line);
    const seen = await inspect(folder.path, `docker://${two}:latest`);
    assert.equal(seen.Digest, digest);
    assert.deepEqual(seen.Labels, { more: 'yes', word: 'said' });
    const raw = JSON.parse(await skopeo(folder.path, 'inspect', '--raw', '--tls-verify=false', `docker://${one}`)) as {
      annotations: object;
    };
    assert.deepEqual(raw.annotations, { a: 'b' });
    const tagged = await succeeds(
      ['-c', 'c', '-d', one, '--image-name-tag-with-digest-file', at('tag'), '--log-format=json'],
      o,
    );
    assert.match(readFileSync(at('tag'), 'utf8'), new RegExp(`^${one}@sha256:[0-9a-f]{64}\n$`));
    for (const line of tagged.stderr.trim().split('\n'))
      assert.equal((JSON.parse(line) as { level: string }).level, 'info', line);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('--no-push: an archive and a layout that others read, a digest without a registry', async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    const o = { root: store.root, cwd: store.work };
    folderWith(join(store.work, 'c'), TINY);
    const { stderr } = await succeeds(
      [
        '-c',
        'c',
        '--no-push',
        '--tar-path=x.tar',
        '--oci-layout-path=layout',
        '--digest-file=d',
        '--reproducible',
        '--log-format=text',
      ],
      o,
    );
    assert.match(stderr, /level=info msg="Skipping push to container registry due to --no-push flag"/);
    const digest = readFileSync(join(store.work, 'd'), 'utf8');
    assert.equal((await inspect(folder.path, `oci:${join(store.work, 'layout')}`)).Digest, digest);
    const manifest = execFileSync('tar', ['xOf', join(store.work, 'x.tar'), 'manifest.json'], { encoding: 'utf8' });
    assert.match(manifest, /unset-repo\/unset-image-name:latest/);
    assert.equal((await inspect(folder.path, `docker-archive:${join(store.work, 'x.tar')}`)).Layers.length, 2);
    // Nothing but the digest: the same, also from another store, at another time, by the environment.
    rmSync(store.root, { recursive: true });
    utimesSync(join(store.work, 'c/hello'), 12345, 12345);
    await succeeds(['-c', 'c', '--digest-file=again', '--reproducible'], { ...o, env: { KANIKO_NO_PUSH: '1' } });
    assert.equal(readFileSync(join(store.work, 'again'), 'utf8'), digest);
    // Without a name the tag file has nobody to speak of.
    assert.equal((await executor(['-c', 'c', '--no-push', '--image-name-with-digest-file=n'], o)).code, 1);
  });

  test(
    '--single-snapshot, --ignore-path, --ignore-var-run, --target, --image-format, --compression',
    { skip: noBusybox },
    async () => {
      using store = emptyStore();
      using folder = scratchFolder();
      const o = { root: store.root, cwd: store.work };
      shellContext(join(store.work, 'c'), [
        'RUN echo 1 > /one && mkdir -p /var/run /tmp/junk && echo x > /var/run/x && echo y > /tmp/junk/y',
        'RUN echo 2 > /two && cat /tmp/junk/y',
        'FROM first AS last',
        'COPY Dockerfile /three',
      ]);
      const file = join(store.work, 'c/Dockerfile');
      writeFileSync(file, readFileSync(file, 'utf8').replace('FROM scratch', 'FROM scratch AS first'));
      const layersOf = (layout: string): string[][] => {
        const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
          manifests: { digest: string }[];
        };
        const blob = (digest = ''): string => join(layout, 'blobs', digest.replace(':', '/'));
        const { layers } = JSON.parse(readFileSync(blob(manifests[0]?.digest), 'utf8')) as {
          layers: { digest: string }[];
        };
        return layers.map(({ digest }) =>
          execFileSync('tar', ['tf', blob(digest)], { encoding: 'utf8' })
            .trim()
            .split('\n'),
        );
      };
      const build = async (name: string, ...args: string[]): Promise<string[][]> => {
        await succeeds(['-c', 'c', '--no-push', `--oci-layout-path=${name}`, ...args], o);
        return layersOf(join(store.work, name));
      };
      const plain = await build('plain');
      assert.equal(plain.length, 4);
      assert.ok(!plain.flat().includes('var/run/x'));
      assert.ok(plain.flat().includes('tmp/junk/y'));
      assert.ok((await build('run', '--ignore-var-run=false')).flat().includes('var/run/x'));
      const single = await build('single', '--single-snapshot', '--ignore-path=/tmp/junk');
      assert.equal(single.length, 1);
      const files = single.flat().filter((path) => !path.endsWith('/'));
      assert.deepEqual(files.sort(), ['bin/sh', 'one', 'three', 'two']);
      const { history } = JSON.parse(
        await skopeo(folder.path, 'inspect', '--config', `oci:${join(store.work, 'single')}`),
      ) as { history: { empty_layer?: boolean }[] };
      assert.equal(history.filter(({ empty_layer: empty }) => !empty).length, 1);
      // The first target is the image, the others are built as well.
      const targets = await build('target', '--target=first,last');
      assert.equal(targets.length, 3);
      await succeeds(['-c', 'c', '--no-push', '--oci-layout-path=docker', '--image-format=docker'], o);
      assert.match(
        await skopeo(folder.path, 'inspect', '--raw', `oci:${join(store.work, 'docker')}`),
        /vnd\.docker\.distribution\.manifest\.v2\+json/,
      );
      await succeeds(
        ['-c', 'c', '--no-push', '--oci-layout-path=zstd', '--compression=zstd', '--compression-level=5'],
        o,
      );
      assert.match(await skopeo(folder.path, 'inspect', '--raw', `oci:${join(store.work, 'zstd')}`), /tar\+zstd/);
    },
  );

  test(
    'whether pushing is allowed is asked before anything runs; logins in their order',
    { skip: noBusybox },
    async () => {
      using store = emptyStore();
      using folder = scratchFolder();
      await using registry = await dockerRegistry(folder.path, { users: { anne: 'right', bob: 'word' } });
      const config = (user: string): string =>
        JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(user).toString('base64') } } });
      folderWith(store.work, { 'good/config.json': config('anne:right'), 'bad/config.json': config('anne:wrong') });
      shellContext(join(store.work, 'c'), ['RUN echo it runs']);
      const args = ['-c', 'c', '-d', `${registry.host}/app`];
      const o = (env: Record<string, string>): World => ({
        root: store.root,
        cwd: store.work,
        env: { HOME: store.work, ...env },
      });
      for (const env of [{}, { DOCKER_CONFIG: join(store.work, 'bad') }]) {
        const denied = await executor(args, o(env));
        assert.equal(denied.code, 1);
        assert.match(
          denied.stderr,
          /^error checking push permissions: push to ".*\/app": registry ".*" (wants a login|refused the login of "anne")/m,
        );
        assert.match(denied.stderr, /WARN.*make sure you entered the correct tag name/);
        assert.doesNotMatch(denied.stdout + denied.stderr, /it runs|wrong/);
      }
      const skipped = await executor([...args, '--skip-push-permission-check'], o({}));
      assert.equal(skipped.code, 1);
      assert.match(skipped.stdout, /it runs/);
      assert.match(skipped.stderr, /^error building image: /m);
      await succeeds(args, o({ DOCKER_CONFIG: join(store.work, 'good') }));
      // The environment's helper stands after the files, and not at all when it is turned off.
      const variables = {
        [`KANIKO_${registry.host.replaceAll(/[.:]/g, '_')}_USER`]: 'bob',
        [`KANIKO_${registry.host.replaceAll(/[.:]/g, '_')}_PASSWORD`]: 'word',
      };
      await succeeds(args, o(variables));
      assert.equal((await executor([...args, '--credential-helpers='], o(variables))).code, 1);
      assert.equal((await executor(args, o({ ...variables, DOCKER_CONFIG: join(store.work, 'bad') }))).code, 1);
      // Without a push nobody is asked.
      await succeeds(['-c', 'c', '--no-push', '-d', `${registry.host}/app`], o({}));
      assert.deepEqual(leftovers(store.root), []);
    },
  );

  test('the exit code of a RUN line goes on; its output goes where it was written', { skip: noBusybox }, async () => {
    using store = emptyStore();
    const o = { root: store.root, cwd: store.work };
    shellContext(join(store.work, 'c'), [
      'RUN --mount=type=secret,id=file,target=/file --mount=type=secret,id=word,env=WORD read text < /file; echo "out $text $WORD"; echo err >&2; exit 17',
    ]);
    writeFileSync(join(store.work, 'secret'), 'of-a-file\n');
    const secrets = ['--secret=id=file,src=secret', '--secret=id=word,env=HIDDEN'];
    const unset = await executor(['-c', 'c', '--no-push', ...secrets], o);
    assert.equal(unset.code, 1);
    assert.match(unset.stderr, /environment variable "HIDDEN": it is not set/);
    const failed = await executor(['-c', 'c', '--no-push', ...secrets], {
      ...o,
      env: { HIDDEN: 'of-the-environment' },
    });
    assert.equal(failed.code, 17);
    assert.match(failed.stdout, /^out of-a-file of-the-environment$/m);
    assert.doesNotMatch(failed.stderr, /of-a-file|of-the-environment/);
    assert.match(failed.stderr, /^err$/m);
    assert.match(failed.stderr, /^error building image: Dockerfile:4.*exit code: 17$/m);
    for (const [args, message] of [
      [['--destinatoin=x'], /Error: read --destinatoin: unknown flag\nhelp: Did you mean --destination\?/],
      [['-c', 'c'], /you must provide --destination/],
      [['build'], /unknown command "build" for "executor"/],
    ] as const) {
      const wrong = await executor(args, o);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, message);
    }
    const help = await executor(['--help'], o);
    assert.match(help.stdout, /--image-name-with-digest-file/);
  });

  test('flags that have lost their meaning say so; a dry run; called by its name; version, login, push', async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path, { users: { anne: 'right' } });
    const o = {
      root: store.root,
      cwd: store.work,
      env: { DOCKER_CONFIG: join(store.work, 'docker'), FF_KANIKO_X: '1' },
    };
    folderWith(join(store.work, 'c'), TINY);
    const { stderr } = await succeeds(
      [
        '-c',
        'c',
        '--no-push',
        '--tar-path=x.tar',
        '--use-new-run',
        '--snapshotMode=redo',
        '--skip-unused-stages=false',
        '--log-format=text',
        `-d=${registry.host}/app:2`,
      ],
      o,
    );
    assert.match(stderr, /msg="--use-new-run has no effect: /);
    assert.match(stderr, /level=warning msg="Flag --snapshotMode is deprecated\. Use: --snapshot-mode"/);
    assert.match(stderr, /msg="--skip-unused-stages has no effect: /);
    assert.match(stderr, /msg="FF_KANIKO_X: no effect/);
    const dry = await succeeds(['-c', 'c', '-d', `${registry.host}/app`, '--dryrun'], o);
    assert.match(dry.stdout, /^FROM scratch$[\s\S]*^ {2}COPY hello \/hello$[\s\S]*^PUSH /m);
    assert.match((await executor(['version'], o)).stdout, /^strake /);
    symlinkSync(join(CHECKOUT, 'strake'), join(store.work, 'executor'));
    const linked = execFileSync(join(store.work, 'executor'), ['--help'], { encoding: 'utf8' });
    assert.match(linked, /Usage:\n {2}executor/);
    assert.equal((await executor(['push', 'x.tar', '-d', `${registry.host}/app:2`], o)).code, 1, 'not logged in');
    assert.equal(
      (await strake(['executor', 'login', registry.host, '-u', 'anne', '--password-stdin'], { ...o, input: 'right\n' }))
        .code,
      0,
    );
    await succeeds(['push', 'x.tar', '-d', `${registry.host}/app:2`], o);
    const creds = ['--creds=anne:right', '--tls-verify=false'];
    assert.match(await skopeo(folder.path, 'inspect', ...creds, `docker://${registry.host}/app:2`), /"Digest"/);
  });
});

suite('the cache of executor', { skip: skip ?? noBusybox }, () => {
  test('a build on another machine runs nothing: from a registry, from a folder, for as long as --cache-ttl says', async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path);
    shellContext(join(store.work, 'c'), ['RUN cat /proc/sys/kernel/random/uuid > /luck', 'RUN echo last > /last']);
    let machines = 0;
    const digests: string[] = [];
    const build = async (...args: string[]): Promise<StrakeResult> => {
      machines += 1;
      const o = { root: join(store.work, `store-${machines}`), cwd: store.work };
      const result = await succeeds(
        ['-c', 'c', '-d', `${registry.host}/app`, '--digest-file=digest', '--log-format=text', '--cache=true', ...args],
        o,
      );
      digests.push(readFileSync(join(store.work, 'digest'), 'utf8'));
      return result;
    };
    const used = (result: StrakeResult): number =>
      result.stderr.match(/msg="Using caching version of cmd: /g)?.length ?? 0;
    const first = await build();
    assert.match(first.stderr, /No cached layers found in .*\/app\/cache:strake-/);
    assert.equal(used(first), 0);
    const second = await build();
    assert.equal(used(second), 3, second.stderr);
    assert.equal(digests[0], digests[1]);
    assert.equal(used(await build('--cache-ttl=1ms')), 0, 'too old');
    assert.notEqual(digests[2], digests[0]);
    assert.equal(used(await build('--cache=false')), 0);
    assert.equal(used(await build(`--cache-repo=${registry.host}/else`, '--no-push-cache')), 0);
    assert.match(
      (await build(`--cache-repo=${registry.host}/else`)).stderr,
      /No cached layers found/,
      'nothing was kept',
    );
    assert.equal(used(await build('--cache-repo=oci:layers')), 0);
    const fromFolder = await build('--cache-repo=oci:layers');
    assert.equal(used(fromFolder), 3, fromFolder.stderr);
    assert.equal(digests.at(-1), digests.at(-2));
  });
});

suite('warmer', { skip }, () => {
  test('brings bases, of which a build then lives when no registry answers', async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    const o = { root: store.root, cwd: store.work };
    folderWith(join(store.work, 'base'), TINY);
    folderWith(join(store.work, 'app'), {
      Dockerfile: 'ARG REGISTRY\nFROM $REGISTRY/base:1 AS one\nFROM scratch\nCOPY --from=one /hello /copied\n',
    });
    const cache = join(store.work, 'cache');
    let host = '';
    const digests = (): string[] => readdirSync(cache).filter((name) => DIGEST.test(name));
    const app = (...args: string[]): Promise<StrakeResult> =>
      executor(
        [
          '-c',
          'app',
          `--build-arg=REGISTRY=${host}`,
          '--no-push',
          '--oci-layout-path=out',
          '--cache',
          '--cache-repo=oci:layers',
          '--no-push-cache',
          `--cache-dir=${cache}`,
          ...args,
        ],
        { ...o, root: join(store.work, `store-${digests().length}-${args.length}`) },
      );
    {
      await using registry = await dockerRegistry(folder.path);
      ({ host } = registry);
      await succeeds(['-c', 'base', '-d', `${host}/base:1`], o);
      const warm = (...args: string[]): Promise<StrakeResult> =>
        strake(['warmer', `--cache-dir=${cache}`, '--log-format=text', ...args], o);
      const first = await warm('--dockerfile=app/Dockerfile', `--build-arg=REGISTRY=${host}`);
      assert.equal(first.code, 0, first.stderr);
      assert.equal(digests().length, 1);
      assert.ok(existsSync(join(cache, digests()[0] ?? '', 'oci-layout')));
      assert.match((await warm('-i', `${host}/base:1`)).stderr, /Image already in cache/);
      assert.match(
        (await warm('-f', '-i', `${host}/base:1`, '-i', `${host}/gone`)).stderr,
        /level=warning msg="Error while trying to warm image: .*\/gone/,
      );
      const none = await warm('-i', `${host}/gone`);
      assert.equal(none.code, 1);
      assert.match(none.stderr, /^failed warming cache: /m);
      assert.equal((await warm()).code, 1);
      assert.deepEqual(
        readdirSync(cache).filter((name) => !DIGEST.test(name)),
        [],
      );
      // What the tag means now counts while the registry can say so.
      writeFileSync(join(store.work, 'base/hello'), 'changed\n');
      await succeeds(['-c', 'base', '-d', `${host}/base:1`], o);
      const online = await app();
      assert.equal(online.code, 0, online.stderr);
      assert.doesNotMatch(online.stderr, /Found sha256:\S+ in local cache/);
    }
    const offline = await app('--label=offline=yes');
    assert.equal(offline.code, 0, offline.stderr);
    assert.match(offline.stderr, new RegExp(`Found ${digests()[0]} in local cache`));
    assert.match(offline.stderr, /WARN.*cannot ask what/);
    const old = await app('--cache-ttl=1ns', '--label=x=y');
    assert.equal(old.code, 1, 'too old');
  });
});
