import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compressionOf, familyOf, isForeignLayerType, isLayerType, layerType, MEDIA, toFamily } from './media-types.ts';

test('every type has its like in the other family and comes back', () => {
  for (const type of Object.values(MEDIA)) {
    const family = familyOf(type);
    if (family === undefined) {
      assert.equal(toFamily(type, 'docker'), type);
      continue;
    }
    const other = family === 'oci' ? 'docker' : 'oci';
    const converted = toFamily(type, other);
    assert.equal(familyOf(converted), other, type);
    assert.equal(toFamily(converted, family), type);
    assert.equal(compressionOf(converted), compressionOf(type));
    assert.equal(isForeignLayerType(converted), isForeignLayerType(type));
  }
});

test('layers are told by their compression', () => {
  for (const family of ['oci', 'docker'] as const)
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const type = layerType(compression, family);
      assert.ok(isLayerType(type));
      assert.equal(compressionOf(type), compression);
      assert.equal(familyOf(type), family);
    }
  assert.equal(compressionOf('application/vnd.in-toto+json'), undefined);
  assert.equal(compressionOf(`${MEDIA.ociLayer}+lz4`), undefined);
  assert.ok(isForeignLayerType('application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'));
  assert.ok(!isForeignLayerType(MEDIA.ociLayerGzip));
});
