import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runTool, systemRandom } from '../../src/base/index.ts';
import {
  configOf,
  imageId,
  openArchive,
  openLayout,
  selectImage,
  validateImage,
  writeLayout,
  type Image,
} from '../../src/image/index.ts';
import { CONFIG, imageOf } from '../../src/image/samples.suite.ts';

/** Needs root, umoci and buildah. */
let folder: string;
before(() => {
  // buildah makes an image name of the path, which must be lower case
  folder = join(tmpdir(), `strake-umoci-${systemRandom.hex(6)}`);
  mkdirSync(folder);
});
after(() => rmSync(folder, { recursive: true }));

const run = async (command: string, ...args: readonly string[]): Promise<string> =>
  (await runTool(command, args)).stdout.toString().trim();

test('umoci unpacks a layout we wrote', async () => {
  const layout = join(folder, 'ours');
  const config = { ...CONFIG.config, User: '7', Env: ['A=b'], Cmd: ['/b', 'x'] };
  const image = await imageOf(
    [
      { 'etc/': '', 'etc/a': 'one', 'etc/gone': '-' },
      { 'etc/.wh.gone': '', b: 'two' },
    ],
    { config: { config } },
  );
  await writeLayout(layout, [{ image, refs: ['tag'] }], { random: systemRandom });
  const bundle = join(folder, 'bundle');
  await run('umoci', 'unpack', '--image', `${layout}:tag`, bundle);
  assert.equal(readFileSync(join(bundle, 'rootfs/etc/a'), 'utf8'), 'one');
  assert.equal(readFileSync(join(bundle, 'rootfs/b'), 'utf8'), 'two');
  assert.equal(lstatSync(join(bundle, 'rootfs/etc/gone'), { throwIfNoEntry: false }), undefined);
  const { process } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as {
    process: { args: string[]; user: { uid: number }; env: string[] };
  };
  assert.deepEqual([process.args, process.user.uid], [['/b', 'x'], 7]);
  assert.ok(process.env.includes('A=b'));
});

test('we read what umoci made, and umoci goes on with what we add', async () => {
  const layout = join(folder, 'theirs');
  await run('umoci', 'init', '--layout', layout);
  await run('umoci', 'new', '--image', `${layout}:new`);
  const bundle = join(folder, 'theirs-bundle');
  await run('umoci', 'unpack', '--image', `${layout}:new`, bundle);
  mkdirSync(join(bundle, 'rootfs/dir'));
  writeFileSync(join(bundle, 'rootfs/dir/file'), 'content');
  await run('umoci', 'repack', '--image', `${layout}:new`, bundle);
  await run('umoci', 'config', '--image', `${layout}:new`, '--config.user', 'me');
  const image = (await selectImage(openLayout(layout), { wanted: 'new', what: layout }).open()) as Image;
  assert.deepEqual(await validateImage(image, { layers: true }), []);
  assert.equal((await configOf(image)).config?.User, 'me');
  await writeLayout(layout, [{ image: await imageOf([{ a: '1' }]), refs: ['added'] }], { random: systemRandom });
  assert.deepEqual((await run('umoci', 'list', '--layout', layout)).split('\n').sort(), ['added', 'new']);
  await run('umoci', 'gc', '--layout', layout);
  assert.deepEqual(
    await validateImage((await selectImage(openLayout(layout), { wanted: 'added', what: layout }).open()) as Image, {
      layers: true,
    }),
    [],
  );
});

test('buildah builds on a layout we wrote, and we read what it commits, as layout, OCI and Docker archive', async () => {
  const layout = join(folder, 'base');
  const base = await imageOf([{ 'etc/': '', 'etc/a': 'one' }]);
  await writeLayout(layout, [{ image: base, refs: ['tag'] }], { random: systemRandom });
  const storage = join(folder, 'storage');
  const buildah = (...args: readonly string[]): Promise<string> =>
    run(
      'buildah',
      '--root',
      join(storage, 'root'),
      '--runroot',
      join(storage, 'run'),
      '--storage-driver',
      'vfs',
      ...args,
    );
  const container = await buildah('from', '--pull', `oci:${layout}:tag`);
  try {
    writeFileSync(join(folder, 'added'), 'text');
    await buildah('copy', container, join(folder, 'added'), '/etc/added');
    await buildah('config', '--label', 'made=here', container);
    const places = [
      ['oci', join(folder, 'committed')],
      ['oci-archive', join(folder, 'committed.oci.tar')],
      ['docker-archive', join(folder, 'committed.docker.tar')],
    ] as const;
    for (const [kind, path] of places) {
      await buildah(
        'commit',
        '--format',
        kind === 'docker-archive' ? 'docker' : 'oci',
        container,
        `${kind}:${path}:app:1`,
      );
      using archive =
        kind === 'oci' ? undefined : await openArchive(path, { temp: join(folder, 'temp'), random: systemRandom });
      const image = (await selectImage(archive ?? openLayout(path), { what: path }).open()) as Image;
      assert.deepEqual(await validateImage(image, { layers: true }), [], kind);
      const config = await configOf(image);
      assert.equal(config.config?.Labels?.['made'], 'here');
      assert.equal(config.rootfs.diff_ids[0], (await configOf(base)).rootfs.diff_ids[0]);
      assert.notEqual(await imageId(image), await imageId(base));
    }
  } finally {
    await buildah('rm', '--all');
    await buildah('rmi', '--all', '--force');
  }
});
