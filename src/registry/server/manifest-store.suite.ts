import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../blob/index.ts';
import { MEDIA } from '../../image/index.ts';
import type { ManifestStore, StoredManifest } from './manifest-store.ts';

const manifest = (text: string): StoredManifest => ({
  mediaType: MEDIA.ociManifest,
  digest: digestOf(text),
  content: Buffer.from(text),
});
const read = async (store: ManifestStore, repository: string, reference: string): Promise<string | undefined> => {
  const found = await store.get(repository, reference);
  if (found) assert.equal(found.mediaType, MEDIA.ociManifest);
  return found && Buffer.from(found.content).toString();
};

/** What every manifest store does. `make` gives an empty one. */
export function manifestStoreSuite(name: string, make: () => { readonly store: ManifestStore } & Disposable): void {
  test(`${name}: manifests by digest and tag, tags that move`, async () => {
    using made = make();
    const { store } = made;
    const [one, two] = [manifest('one\nline'), manifest('two')];
    await store.put('a/b', one, { tags: ['1', 'latest'] });
    await store.put('a/b', two, { tags: ['latest'] });
    assert.equal(await read(store, 'a/b', '1'), 'one\nline');
    assert.equal(await read(store, 'a/b', 'latest'), 'two');
    assert.equal(await read(store, 'a/b', one.digest), 'one\nline');
    assert.equal(await read(store, 'a', '1'), undefined);
    assert.equal(await read(store, 'a/b', '2'), undefined);
    assert.deepEqual(await store.tags('a/b'), ['1', 'latest']);
    assert.equal(await store.tags('a'), undefined);
    assert.equal(await store.remove('a/b', '1'), true);
    assert.equal(await store.remove('a/b', '1'), false);
    assert.equal(await read(store, 'a/b', one.digest), 'one\nline');
    assert.equal(await store.remove('a/b', two.digest), true);
    assert.equal(await store.remove('a/b', two.digest), false);
    assert.deepEqual(await store.tags('a/b'), []);
    assert.equal(await store.remove('none', 'x'), false);
  });

  test(`${name}: repositories within repositories`, async () => {
    using made = make();
    const { store } = made;
    assert.deepEqual(await store.repositories(), []);
    for (const repository of ['z', 'a', 'a/b/c']) await store.put(repository, manifest(repository), { tags: ['t'] });
    await store.link('only/blobs', digestOf('x'));
    assert.deepEqual(await store.repositories(), ['a', 'a/b/c', 'only/blobs', 'z']);
    assert.deepEqual(await store.tags('only/blobs'), []);
    assert.equal(await store.tags('a/b'), undefined);
  });

  test(`${name}: blobs are linked for each repository`, async () => {
    using made = make();
    const { store } = made;
    await store.link('a', digestOf('x'));
    await store.link('a', digestOf('x'));
    assert.equal(await store.isLinked('a', digestOf('x')), true);
    assert.equal(await store.isLinked('b', digestOf('x')), false);
    assert.equal(await store.unlink('a', digestOf('x')), true);
    assert.equal(await store.unlink('a', digestOf('x')), false);
    assert.equal(await store.isLinked('a', digestOf('x')), false);
  });

  test(`${name}: referrers of a subject, until they are removed`, async () => {
    using made = make();
    const { store } = made;
    const subject = digestOf('subject');
    const all = [manifest('r1'), manifest('r2')].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    for (const one of all) await store.put('a', one, { tags: [], subject });
    await store.put('a', manifest('other'), { tags: ['x'] });
    assert.deepEqual(
      (await store.referrers('a', subject)).map(({ digest }) => digest),
      all.map(({ digest }) => digest),
    );
    await store.remove('a', all[0]?.digest ?? '');
    assert.deepEqual(
      (await store.referrers('a', subject)).map(({ digest }) => digest),
      [all[1]?.digest],
    );
    assert.deepEqual(await store.referrers('none', subject), []);
  });
}
