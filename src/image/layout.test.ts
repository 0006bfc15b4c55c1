import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { drain, hasCode, systemRandom } from '../base/index.ts';
import { hexOf } from '../blob/index.ts';
import { selectImage } from './bundle.ts';
import { chooseImage } from './choose-image.ts';
import { descriptorOf, imageId } from './image-from.ts';
import type { Image, Layer } from './image.ts';
import { imageSuite } from './image.suite.ts';
import { openLayout, writeLayout } from './layout.ts';
import { makeIndex } from './make-index.ts';
import { imageOf } from './samples.suite.ts';

function scratch(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'strake-layout-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

imageSuite(
  'layout',
  async (x) => {
    const folder = scratch();
    await writeLayout(folder.path, [{ image: x }], { random: systemRandom });
    return {
      x: await selectImage(openLayout(folder.path), { what: 'it' }).open(),
      [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
    };
  },
  { keeps: 'all' },
);

test('images are added under names, and an entry of the same name is replaced', async () => {
  using folder = scratch();
  const [one, two] = [await imageOf([{ a: '1' }]), await imageOf([{ a: '2' }])];
  const o = { random: systemRandom };
  await writeLayout(folder.path, [{ image: one, names: ['app', 'app:1'] }], o);
  await writeLayout(folder.path, [{ image: two, names: ['app'], refs: ['edge'] }], {
    ...o,
    created: '2024-01-01T00:00:00Z',
  });
  const layout = openLayout(folder.path);
  const idOf = async (wanted: string): Promise<string> =>
    imageId((await selectImage(layout, { wanted, what: 'x' }).open()) as Image);
  assert.equal(layout.images.length, 2);
  assert.equal(await idOf('app:1'), await imageId(one));
  assert.equal(await idOf('docker.io/library/app:latest'), await imageId(two));
  assert.equal(await idOf('edge'), await imageId(two));
  assert.equal(await idOf((await descriptorOf(one)).digest), await imageId(one));
  assert.equal(await idOf('@0'), await imageId(one));
  assert.throws(
    () => selectImage(layout, { what: 'x' }),
    (error) => hasCode(error, 'LAYOUT_SEVERAL_IMAGES'),
  );
  assert.throws(
    () => selectImage(layout, { wanted: 'other', what: 'x' }),
    /no "other"; it holds "docker.io\/library\/app:1", "docker.io\/library\/app:latest"/,
  );
  assert.deepEqual(
    JSON.parse(readFileSync(join(folder.path, 'index.json'), 'utf8')).manifests.map(
      (entry: { annotations: unknown }) => entry.annotations,
    ),
    [
      { 'io.containerd.image.name': 'docker.io/library/app:1', 'org.opencontainers.image.ref.name': '1' },
      {
        'io.containerd.image.name': 'docker.io/library/app:latest',
        'org.opencontainers.image.created': '2024-01-01T00:00:00Z',
        'org.opencontainers.image.ref.name': 'latest',
      },
      { 'org.opencontainers.image.created': '2024-01-01T00:00:00Z', 'org.opencontainers.image.ref.name': 'edge' },
    ],
  );
  assert.deepEqual(readdirSync(folder.path).sort(), ['blobs', 'index.json', 'oci-layout']);
});

test('writing at once from several sides loses no entry', async () => {
  using folder = scratch();
  await Promise.all(
    Array.from({ length: 6 }, async (_, at) =>
      writeLayout(folder.path, [{ image: await imageOf([{ a: String(at) }]), refs: [`t${at}`] }], {
        random: systemRandom,
      }),
    ),
  );
  assert.deepEqual(
    openLayout(folder.path)
      .images.flatMap((image) => image.refs)
      .sort(),
    ['t0', 't1', 't2', 't3', 't4', 't5'],
  );
});

test('a sparse layout is written and read as far as it goes', async () => {
  using folder = scratch();
  const [amd, arm] = [await imageOf([{ a: '1' }]), await imageOf([{ a: '2' }], { config: { architecture: 'arm64' } })];
  const index = makeIndex([{ image: amd }, { image: arm }], { mediaTypes: 'oci' });
  await writeLayout(folder.path, [{ image: index }], {
    random: systemRandom,
    members: (member) => member.platform?.architecture === 'arm64',
  });
  const again = await selectImage(openLayout(folder.path), { what: 'x' }).open();
  const { image } = await chooseImage(again, { os: 'linux', architecture: 'arm64' }, { what: 'x' });
  assert.equal(await imageId(image), await imageId(arm));
  const missing = await chooseImage(again, { os: 'linux', architecture: 'amd64' }, { what: 'x' });
  await assert.rejects(missing.image.config(), (error) => hasCode(error, 'BLOB_NOT_FOUND'));
});

test('a write that fails or is cancelled leaves the layout as it was', async () => {
  using folder = scratch();
  const image = await imageOf([{ a: '1' }]);
  await writeLayout(folder.path, [{ image }], { random: systemRandom });
  const before = readFileSync(join(folder.path, 'index.json'));
  const broken: Image = {
    ...(await imageOf([{ b: '1' }])),
    layers: async () =>
      (await (await imageOf([{ b: '1' }])).layers()).map((layer): Layer => ({
        ...layer,
        compressed: async () =>
          (async function* () {
            yield Buffer.from('half');
            throw new Error('source broke');
          })(),
      })),
  };
  await assert.rejects(writeLayout(folder.path, [{ image: broken }], { random: systemRandom }), /source broke/);
  const aborted = AbortSignal.abort();
  await assert.rejects(
    writeLayout(folder.path, [{ image: await imageOf([{ c: '1' }]) }], { random: systemRandom, signal: aborted }),
    (error) => hasCode(error, 'CANCELLED'),
  );
  assert.deepEqual(readFileSync(join(folder.path, 'index.json')), before);
  assert.deepEqual(readdirSync(folder.path).sort(), ['blobs', 'index.json', 'oci-layout']);
});

test('a damaged layout is told from a good one', async () => {
  using folder = scratch();
  const invalid = (error: unknown): boolean => hasCode(error, 'LAYOUT_INVALID', 'MANIFEST_INVALID');
  assert.throws(() => openLayout(join(folder.path, 'nowhere')), invalid);
  writeFileSync(join(folder.path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
  assert.throws(() => openLayout(folder.path), /version "2.0.0"/);
  writeFileSync(join(folder.path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  assert.throws(() => openLayout(folder.path), /no "index.json"/);
  writeFileSync(join(folder.path, 'index.json'), '{');
  assert.throws(() => openLayout(folder.path), invalid);

  rmSync(join(folder.path, 'index.json'));
  const image = await imageOf([{ a: '1' }]);
  await writeLayout(folder.path, [{ image }], { random: systemRandom });
  const [layer] = await image.layers();
  const { digest, size } = await (layer as Layer).descriptor();
  const path = join(folder.path, 'blobs/sha256', hexOf(digest));
  writeFileSync(path, Buffer.alloc(size));
  const opened = (await selectImage(openLayout(folder.path), { what: 'x' }).open()) as Image;
  await assert.rejects(
    async () => drain(await (await opened.layers())[0]!.compressed()),
    (error) => hasCode(error, 'BLOB_CORRUPT'),
  );
  unlinkSync(path);
  await writeLayout(folder.path, [{ image }], { random: systemRandom });
  assert.equal(statSync(path).size, size);
  mkdirSync(join(folder.path, '.strake-999999999-x'));
  await writeLayout(folder.path, [{ image }], { random: systemRandom });
  assert.deepEqual(readdirSync(folder.path).sort(), ['blobs', 'index.json', 'oci-layout']);
});
