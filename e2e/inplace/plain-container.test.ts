import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { BASE, storeWithBase, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { dockerRegistry, lacking } from '../registry/world.ts';
import { noTerminal, onTerminal } from '../lib/terminal.ts';
import { inContainer, plainContainer, type Ran } from './container.ts';
import { imageRoot } from './image-root.ts';

const EPOCH = '1700000000';
const skip = process.getuid?.() === 0 ? (lacking('runc', 'docker-registry', 'busybox') ?? false) : 'not root';

/** Packages are fetched twice for it. */
const SKIPPED: Readonly<Record<string, string>> =
  process.env['STRAKE_TEST_FULL'] === '1' ? {} : { 'a package': 'in npm run test:full only' };

/** Dockerfiles as people have them, with all that a layer can hold: a package installed in one stage and used in another; users, links, modes, attributes, things removed and replaced; stages that part and meet. */
const DOCKERFILES: Readonly<Record<string, string>> = {
  'a package': `ARG FROM
FROM $FROM AS tools
RUN apt-get update && apt-get install -y --no-install-recommends hello \\
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /var/lib/dpkg/*-old
FROM $FROM
RUN useradd --create-home --shell /bin/bash web && rm -f /etc/*-
COPY --from=tools /usr/bin/hello /usr/local/bin/
USER web
WORKDIR /home/web/app
RUN hello --greeting="$(id -un)" > said && test "$(cat said)" = web && ! touch /etc/not-mine
ENTRYPOINT ["hello"]
`,
  'files of all kinds': `ARG FROM
FROM $FROM AS build
WORKDIR /site
COPY --chown=33:33 pages pages
RUN <<END
set -e
mkdir -p out/sub /opt/tool
for page in pages/*; do sed s/NAME/strake/ "$page" > "out/\${page##*/}.html"; done
ln out/one.html out/sub/again.html
ln -s ../out /opt/tool/link
mkfifo out/pipe
install -m 4750 -o 7 -g 8 /bin/true /opt/tool/setuid
chmod 1777 out/sub
END
RUN rm -rf /usr/share/doc && mv /opt/tool /opt/moved && rm /etc/motd && mkdir /etc/motd && touch /etc/motd/now
RUN --mount=type=tmpfs,target=/scratch echo gone > /scratch/x && cp /scratch/x out/x && chown 33:33 out/x out/sub
FROM scratch
COPY --from=build /site/out /www
COPY --from=build /opt /opt
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "busybox ln -s busybox /bin/sh; echo root:x:0:0::/:/bin/sh > /passwd; busybox rm /www/x"]
USER 33
CMD ["/bin/busybox", "httpd", "-f", "-h", "/www"]
`,
  'stages that part and meet': `ARG FROM
FROM $FROM AS common
RUN echo common > /common && mkdir /shared && echo 1 > /shared/1
FROM common AS left
RUN echo left > /shared/left && rm /common
RUN echo more >> /shared/1
FROM common AS right
RUN test -f /common && test ! -e /shared/left && echo right > /shared/right
FROM scratch AS apart
COPY busybox /bin/sh
RUN test ! -e /shared && echo alone > /alone
FROM left
COPY --from=right /shared /shared
COPY --from=apart /alone /shared/
RUN test ! -e /common && test -f /shared/right && test "$(cat /shared/1 | wc -l)" = 1 && cat /shared/* > /all
`,
};

suite('strake’s own image in a plain container (must show 6)', { skip }, () => {
  const scope = new AsyncDisposableStack();
  let store: TestStore;
  let host = '';
  let image = '';
  let context = '';
  let containers = 0;

  before(async () => {
    store = scope.use(await storeWithBase());
    const data = join(store.work, 'registry');
    mkdirSync(data);
    ({ host } = scope.use(await dockerRegistry(data)));
    image = await imageRoot(store);
    context = join(store.work, 'context');
    mkdirSync(join(context, 'pages'), { recursive: true });
    for (const page of ['one', 'two']) writeFileSync(join(context, 'pages', page), `NAME ${page}\n`);
    copyFileSync('/bin/busybox', join(context, 'busybox'));
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\n`);
    await ok(['build', '--push', '-t', `${host}/base:1`, context], { root: store.root });
  });
  after(() => scope.disposeAsync());

  const newRoot = (): string => {
    const root = join(store.work, `root-${containers++}`);
    execFileSync('cp', ['-a', image, root]);
    return root;
  };
  const strakeIn = (root: string, args: readonly string[], env: readonly string[] = []): Promise<Ran> =>
    inContainer(['/strake/strake', ...args], {
      rootfs: root,
      runtime: 'runc',
      binds: { '/workspace': context },
      env: ['HOME=/root', 'TMPDIR=/strake/tmp', 'STRAKE_ROOT=/strake/store', 'STRAKE_GROUND=auto', ...env],
    });
  const flags = (name: string): string[] => [
    '--progress=plain',
    '--build-arg',
    `FROM=${host}/base:1`,
    '--build-arg',
    `SOURCE_DATE_EPOCH=${EPOCH}`,
    '-o',
    `type=registry,name=${host}/${name}`,
  ];
  const digestOf = async (name: string): Promise<string | null> => {
    const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
    const [repository, tag] = name.split(':');
    const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } });
    assert.equal(answer.status, 200, await answer.text());
    return answer.headers.get('docker-content-digest');
  };

  /** Builds in the sandbox and on these grounds, and compares what was pushed. */
  const same = async (
    name: string,
    o: { text: string; grounds: readonly string[]; more?: readonly string[] },
  ): Promise<string> => {
    const file = `Dockerfile.${name}`;
    writeFileSync(join(context, file), o.text);
    const more = o.more ?? [];
    const secret = (folder: string): string[] => more.map((flag) => flag.replace('CONTEXT', folder));
    const sandbox = ['build', ...flags(`${name}:sandbox`), ...secret(context), '-f', join(context, file), context];
    await ok(sandbox, { root: store.root });
    let log = '';
    for (const ground of o.grounds) {
      const root = newRoot();
      const own = [
        '--ground',
        ground,
        ...flags(`${name}:${ground}`),
        ...secret('/workspace'),
        '-f',
        `/workspace/${file}`,
      ];
      const { code, stderr } = await strakeIn(root, ['build', ...own, '/workspace']);
      log += stderr;
      assert.equal(code, 0, stderr);
      assert.match(stderr, ground === 'chroot' ? /#0 steps run with chroot on copy/ : /#0 steps run with in place/);
      const pair = ['sandbox', ground].map((tag) => `docker://${host}/${name}:${tag}`);
      const { stdout } = await strake(['diff', ...pair], { root: store.root });
      assert.equal(await digestOf(`${name}:${ground}`), await digestOf(`${name}:sandbox`), stdout);
      for (const path of ['strake/strake', 'strake/lib/libc.so.6', 'busybox/sh'])
        assert.ok(existsSync(join(root, path)));
      rmSync(root, { recursive: true, force: true });
    }
    return log;
  };

  for (const [what, text] of Object.entries(DOCKERFILES))
    test(`${what}: in place and in the sandbox the same image`, { skip: SKIPPED[what] ?? false }, async () => {
      await same(what.replaceAll(' ', '-'), { text, grounds: ['in-place'] });
    });

  test('mounts of RUN, in place and by chroot: put there, seen, and gone again', async () => {
    writeFileSync(join(context, 'secret'), 'a secret of the test');
    const log = await same('mounts', {
      text: MOUNTS,
      grounds: ['in-place', 'chroot'],
      more: ['--secret=id=token,src=CONTEXT/secret'],
    });
    assert.doesNotMatch(log, /a secret of the test/);
  });

  test('another distribution’s /lib, /lib64 and /etc between two stages do not concern it', async () => {
    const other = join(context, 'other');
    for (const folder of [
      'lib/x86_64-linux-gnu',
      'lib/aarch64-linux-gnu',
      'lib64',
      'etc',
      'usr/lib/x86_64-linux-gnu',
      'bin',
    ])
      mkdirSync(join(other, folder), { recursive: true });
    for (const library of ['libc.so.6', 'libnss_evil.so.2', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1'])
      for (const folder of ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib64', 'lib'])
        writeFileSync(join(other, folder, library), 'no library');
    for (const loader of ['ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1'])
      writeFileSync(join(other, 'lib64', loader), 'no loader');
    writeFileSync(join(other, 'etc/nsswitch.conf'), 'hosts: evil\npasswd: evil\n');
    writeFileSync(join(other, 'etc/ld.so.preload'), '/lib/libc.so.6\n');
    writeFileSync(join(other, 'etc/ld.so.cache'), 'no cache');
    copyFileSync('/bin/busybox', join(other, 'bin/busybox'));
    if (!existsSync(join(other, 'bin/sh'))) symlinkSync('busybox', join(other, 'bin/sh'));
    cpSync(join(other, 'etc'), join(other, 'usr/etc'), { recursive: true });
    writeFileSync(
      join(context, 'Dockerfile.other'),
      `ARG FROM
FROM $FROM AS first
RUN ls /lib/*/libc.so.6 > /found
FROM scratch
COPY other /
COPY --from=first /found /found
RUN busybox grep -q 'no library' /lib/x86_64-linux-gnu/libc.so.6 && busybox grep -q evil /etc/nsswitch.conf
RUN busybox sed -n 's/^[^/]* \\//\\//p' /proc/1/maps | busybox sort -u > /maps
`,
    );
    const name = host.replace('127.0.0.1', 'localhost');
    const root = newRoot();
    const { code, stderr } = await strakeIn(root, [
      'build',
      '--ground=in-place',
      '--progress=plain',
      '--build-arg',
      `FROM=${name}/base:1`,
      '-o',
      `type=registry,name=${name}/other:1`,
      '-f',
      '/workspace/Dockerfile.other',
      '/workspace',
    ]);
    assert.equal(code, 0, stderr);
    assert.match(readFileSync(join(root, 'lib/x86_64-linux-gnu/libc.so.6'), 'utf8'), /no library/);
    const maps = readFileSync(join(root, 'maps'), 'utf8').trim().split('\n');
    assert.ok(maps.includes('/strake/lib/libc.so.6') && maps.includes('/strake/lib/ld.so'), maps.join(' '));
    assert.deepEqual(
      maps.filter((path) => !/^\/(?:strake|dev)\//.test(path)),
      [],
    );
    assert.match((await digestOf('other:1')) ?? '', /^sha256:/);
  });

  test('a container that holds a system of its own is spared: steps run by chroot', async () => {
    const root = newRoot();
    mkdirSync(join(root, 'usr/share'), { recursive: true });
    writeFileSync(join(root, 'usr/share/mine'), 'not for a build to remove');
    writeFileSync(
      join(context, 'Dockerfile.spared'),
      'FROM scratch\nCOPY busybox /bin/sh\nRUN test ! -e /usr && echo alone > /alone\n',
    );
    const { code, stderr } = await strakeIn(root, [
      'build',
      '--progress=plain',
      '-f',
      '/workspace/Dockerfile.spared',
      '/workspace',
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /#0 steps run with chroot on copy\n#0 .*this container's own "\/usr" would be removed/);
    assert.ok(existsSync(join(root, 'usr/share/mine')) && !existsSync(join(root, 'alone')));
  });

  test('a shell in a step that failed in place or by chroot', { skip: noTerminal ?? false }, async () => {
    const mounts = '--mount=type=tmpfs,target=/t --mount=type=secret,id=s';
    writeFileSync(
      join(context, 'Dockerfile.shell'),
      `FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/cat\nRUN ${mounts} echo left > /left; exit 9\n`,
    );
    writeFileSync(join(context, 'secret'), 'a secret of the test');
    for (const ground of ['in-place', 'chroot']) {
      const root = newRoot();
      const args = `build --on-error=shell -q --ground=${ground} --secret=id=s,src=/workspace/secret -f /workspace/Dockerfile.shell /workspace`;
      using container = plainContainer(['/strake/strake', ...args.split(' ')], {
        rootfs: root,
        runtime: 'runc',
        terminal: true,
        binds: { '/workspace': context },
        env: ['HOME=/root', 'TMPDIR=/strake/tmp', 'STRAKE_ROOT=/strake/store', 'PATH=/bin', 'NO_COLOR=1'],
      });
      const it = onTerminal(container.command.join(' '), { root: store.root });
      await it.says(/\nshell: \/bin\/sh in the step's root/);
      it.type('cat /left /run/secrets/s; echo made > /made; echo "terminal" > /dev/tty; exit 3\n');
      assert.equal(await it.ended, 1, it.said());
      assert.match(
        it.said().replaceAll('\r', ''),
        /\nleft\na secret of the testterminal\nerror: Dockerfile.shell:4:1: process [^\n]* exit code: 9\n/,
      );
      // In place the root is that of the last step, which failed, with nothing that was mounted on it.
      assert.ok(!existsSync(join(root, 'run/secrets/s')) && !existsSync(join(root, 't')));
    }
  });

  test('called by kaniko’s name it takes kaniko’s flags', async () => {
    const root = newRoot();
    const run = await inContainer(
      [
        '/kaniko/executor',
        '--context=dir:///workspace',
        '-f',
        'Dockerfile.stages-that-part-and-meet',
        '-d',
        `${host}/kaniko:1`,
        '--build-arg',
        `FROM=${host}/base:1`,
        '--insecure',
        '--digest-file=/kaniko/digest',
      ],
      { rootfs: root, runtime: 'runc', binds: { '/workspace': context }, env: IMAGE_ENV },
    );
    assert.equal(run.code, 0, run.stderr + run.stdout);
    assert.equal(readFileSync(join(root, 'kaniko/digest'), 'utf8').trim(), await digestOf('kaniko:1'));
  });
});

const MOUNTS = `FROM scratch AS tools
COPY busybox /bin/sh
COPY busybox /bin/busybox
FROM tools AS other
RUN busybox mkdir /given && echo given > /given/file
FROM tools
RUN busybox mkdir -p /run/secrets /etc && echo root:x:0:0::/root:/bin/sh > /etc/passwd && echo here > /run/secrets/token
RUN --mount=type=secret,id=token busybox grep -q 'secret of' /run/secrets/token && busybox wc -c < /run/secrets/token > /size
RUN --mount=type=bind,from=other,source=/given,target=/mnt/given busybox cat /mnt/given/file > /copied
RUN --mount=type=cache,target=/cache echo kept > /cache/file
RUN --mount=type=cache,target=/cache busybox cat /cache/file > /cached && ! test -e /mnt
RUN --mount=type=tmpfs,target=/etc busybox test ! -e /etc/passwd && echo x > /etc/x
RUN busybox grep -q here /run/secrets/token && test -e /etc/passwd && test ! -e /etc/x && test ! -e /cache
RUN (busybox setsid busybox sleep 1000 &) ; echo done > /done
USER 5:6
WORKDIR /home/five
RUN --mount=type=secret,id=token,uid=5,mode=0400 busybox id -u > /home/five/id && busybox grep -q secret /run/secrets/token
`;

const IMAGE_ENV = [
  'PATH=/usr/local/bin:/kaniko:/strake',
  'HOME=/root',
  'TMPDIR=/strake/tmp',
  'STRAKE_ROOT=/strake/store',
  'STRAKE_GROUND=auto',
  'DOCKER_CONFIG=/kaniko/.docker',
];
