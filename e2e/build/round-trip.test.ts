import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { dockerRegistry } from '../registry/world.ts';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';

const missing = ['docker-registry', 'skopeo', 'umoci', 'podman', 'buildah', 'mmdebstrap'].filter(
  (tool) => findTool(tool) === undefined,
);
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'pipe'] });

describe('round trips with real tools (must show 2)', { skip }, () => {
  test('what strake pushes and writes, skopeo, umoci and buildah take; strake pulls it back and builds on it', async () => {
    using store = await storeWithBase();
    const data = join(store.work, 'registry');
    mkdirSync(data);
    await using plain = await dockerRegistry(data);
    const context = join(store.work, 'context');
    mkdirSync(context);
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${BASE}\nRUN echo made > /made && ln /made /linked\nENV A=1\nCMD ["cat", "/made"]\n`,
    );
    const name = `${plain.host}/team/app:1`;
    await ok(['build', '--progress=plain', '-t', name, '--push', context], { root: store.root });

    const inspected = JSON.parse(run('skopeo', 'inspect', '--tls-verify=false', `docker://${name}`)) as {
      Digest: string;
      Env: string[];
      Layers: string[];
    };
    assert.ok(inspected.Env.includes('A=1'));
    assert.equal(inspected.Layers.length, 2);
    run('skopeo', 'copy', '--src-tls-verify=false', `docker://${name}`, `oci:${join(store.work, 'layout')}:one`);
    run('umoci', 'unpack', '--rootless', '--image', `${join(store.work, 'layout')}:one`, join(store.work, 'bundle'));
    assert.equal(run('cat', join(store.work, 'bundle/rootfs/linked')), 'made\n');

    using other = await storeWithBase();
    await ok(['pull', name], { root: other.root });
    writeFileSync(join(context, 'Dockerfile'), `FROM ${name}\nRUN test "$(cat /made)" = made && test "$A" = 1\n`);
    await ok(['build', '--progress=plain', context], { root: other.root });

    const archive = join(store.work, 'image.tar');
    await ok(['save', '-o', archive, name], { root: other.root });
    run('skopeo', 'copy', `oci-archive:${archive}`, `dir:${join(store.work, 'dir')}`);
  });

  test('podman runs what strake built, buildah works on it, and strake builds on what buildah and mmdebstrap made', async () => {
    using store = await storeWithBase();
    const context = join(store.work, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nRUN echo made > /made\nCMD ["cat", "/made"]\n`);
    const archive = join(store.work, 'image.tar');
    await ok(['build', '--progress=plain', '-t', 'app:1', '-o', `type=oci,dest=${archive}`, context], store);
    const places = ['--root', join(store.work, 'containers'), '--runroot', join(store.work, 'run')];
    const storage = [...places, '--storage-driver', 'vfs'];
    try {
      // What they would raise, this machine may not let them.
      const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
      const podman = [...storage, '--cgroup-manager', 'cgroupfs', '--runtime', 'runc'];
      const image = `oci-archive:${archive}`;
      assert.equal(run('podman', ...podman, 'run', '--rm', '--network', 'none', ...limits, image), 'made\n');

      run('buildah', ...storage, 'from', '--name', 'work', image);
      assert.equal(run('buildah', ...storage, 'run', '--isolation', 'chroot', 'work', 'cat', '/made'), 'made\n');
      run('buildah', ...storage, 'config', '--env', 'BY=buildah', '--workingdir', '/srv', 'work');
      const theirs = join(store.work, 'buildah');
      run('buildah', ...storage, 'commit', 'work', `oci:${theirs}:latest`);
      writeFileSync(
        join(context, 'Dockerfile'),
        'FROM theirs\nRUN test "$BY $PWD $(cat /made)" = "buildah /srv made" && rm /made\n',
      );
      await ok(
        ['build', '--progress=plain', '--build-context', `theirs=oci-layout://${theirs}:latest`, context],
        store,
      );
    } finally {
      for (const args of [
        ['rm', '-a'],
        ['rmi', '-a', '-f'],
      ])
        run('buildah', ...storage, ...args);
    }

    run('mmdebstrap', '--variant=extract', '--include=busybox-static', 'bookworm', join(context, 'root.tar'));
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM scratch\nADD root.tar /\nRUN ["/bin/busybox", "sh", "-c", "test -e /var/lib/dpkg/status && /bin/busybox echo ran"]\n',
    );
    const { stderr } = await ok(['build', '--progress=plain', context], store);
    assert.match(stderr, /^#\d+ [\d.]+ ran$/m);
  });

  test('a registry that wants a login: refused without, taken with', async () => {
    using store = await storeWithBase();
    const data = join(store.work, 'registry');
    mkdirSync(data);
    await using secured = await dockerRegistry(data, { users: { ada: 'secret word' } });
    const env = { DOCKER_CONFIG: join(store.work, 'docker') };
    const name = `${secured.host}/app:1`;
    writeFileSync(join(store.work, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    writeFileSync(join(store.work, '.dockerignore'), 'registry\ndocker\n');
    const refused = await strake(['build', '--progress=plain', '-t', name, '--push', store.work], {
      root: store.root,
      env,
    });
    assert.equal(refused.code, 77, refused.stderr);
    assert.match(refused.stderr, /strake login/);
    await ok(['login', '--username', 'ada', '--password-stdin', secured.host], {
      root: store.root,
      env,
      input: 'secret word',
    });
    await ok(['build', '--progress=plain', '-t', name, '--push', store.work], { root: store.root, env });
    run('skopeo', 'inspect', '--tls-verify=false', '--creds', 'ada:secret word', `docker://${name}`);
  });
});
