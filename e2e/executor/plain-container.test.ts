import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderWith, noBusybox, shellContext } from '../cli/context.ts';
import { inContainer } from '../inplace/container.ts';
import { emptyStore } from '../lib/store.ts';
import { CHECKOUT, ok } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';

const skip =
  (process.getuid?.() === 0 ? undefined : 'needs root, to start a container') ??
  lacking('docker-registry', 'htpasswd', 'skopeo', 'runc') ??
  noBusybox;

test(
  "kaniko's command line in a container as a pod is: no privileges, its login, its folder, its digest file",
  { skip },
  async () => {
    using store = emptyStore();
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path, { users: { anne: 'right' } });
    // The bundle is there, and new.
    await ok(['version'], store);
    const rootfs = join(store.work, 'root');
    const config = { auths: { [registry.host]: { auth: Buffer.from('anne:right').toString('base64') } } };
    folderWith(rootfs, { 'kaniko/.docker/config.json': JSON.stringify(config), 'tmp/kept': 'kept' });
    const out = join(store.work, 'out');
    mkdirSync(out);
    const workspace = shellContext(join(store.work, 'c'), [
      'RUN echo first > /first && mkdir -p /tmp && echo x > /tmp/x',
      'FROM first AS second',
      'RUN read word < /first && echo "$word second" > /second',
    ]);
    const file = join(workspace, 'Dockerfile');
    writeFileSync(file, readFileSync(file, 'utf8').replace('FROM scratch', 'FROM scratch AS first'));
    const place = `${registry.host}/team/app:1`;
    const { code, stderr } = await inContainer(
      [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        join(CHECKOUT, 'dist/main.cjs'),
        'executor',
        '-d',
        place,
        '--digest-file=/out/digest',
        '--cleanup',
        '--log-format=text',
        '--use-new-run',
        '--snapshot-mode=redo',
      ],
      {
        rootfs,
        runtime: 'runc',
        binds: {
          ...libraries(),
          [CHECKOUT]: CHECKOUT,
          '/workspace': workspace,
          '/out': out,
        },
        env: ['PATH=/usr/bin:/bin', 'KANIKO_DIR=/kaniko'],
      },
    );
    assert.equal(code, 0, stderr);
    const digest = readFileSync(join(out, 'digest'), 'utf8');
    assert.match(stderr, new RegExp(`msg="Pushed ${registry.host}/team/app@${digest}"`));
    assert.match(stderr, /msg="Steps run with /);
    const creds = ['--creds=anne:right', '--tls-verify=false'];
    const layout = join(store.work, 'layout');
    await skopeo(
      folder.path,
      'copy',
      '--src-creds=anne:right',
      '--src-tls-verify=false',
      `docker://${place}`,
      `oci:${layout}`,
    );
    const seen = JSON.parse(await skopeo(folder.path, 'inspect', ...creds, `docker://${place}`)) as {
      Digest: string;
      Layers: string[];
    };
    assert.equal(seen.Digest, digest);
    assert.equal(seen.Layers.length, 3);
    // Nothing of the pod is hurt, and --cleanup leaves nothing of the build.
    assert.equal(readFileSync(join(rootfs, 'tmp/kept'), 'utf8'), 'kept');
    assert.ok(existsSync(file));
    assert.deepEqual(readdirSync(join(rootfs, 'kaniko')), ['.docker']);
  },
);

/** Where this machine's Node has its libraries: they stand for an image that brings its own. */
function libraries(): Record<string, string> {
  const folders = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path));
  return Object.fromEntries(folders.map((path) => [path, realpathSync(path)]));
}
