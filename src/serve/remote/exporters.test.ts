import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildRequest, ExportRequest, ImageMetadata } from '../../engine/index.ts';
import { cacheExportOf, cacheImportOf, exportersOf } from './exporters.ts';

function asked(exports: readonly ExportRequest[], more: Partial<BuildRequest & ImageMetadata> = {}) {
  return exportersOf(
    { frontend: 'dockerfile', options: {}, platforms: [], allow: [], annotations: [], exports, ...more },
    { docker: false },
  );
}

test("outputs by BuildKit's names", () => {
  const [store, registry, oci, local] = asked([
    { type: 'store', names: ['docker.io/library/a:1', 'b.example/c:2'] },
    {
      type: 'registry',
      names: ['b.example/c:2'],
      insecure: true,
      docker: true,
      compression: { name: 'zstd', level: 3 },
    },
    { type: 'oci', sink: 'out', tar: true, names: [], compression: { name: 'none' } },
    { type: 'local', sink: 'folder' },
  ]);
  assert.deepEqual([store?.Type, store?.Attrs['name']], ['image', 'docker.io/library/a:1,b.example/c:2']);
  assert.deepEqual(registry?.Attrs, {
    name: 'b.example/c:2',
    compression: 'zstd',
    'force-compression': 'false',
    'compression-level': '3',
    push: 'true',
    store: 'false',
    'registry.insecure': 'true',
    'oci-mediatypes': 'false',
  });
  assert.deepEqual([oci?.Type, oci?.Attrs['compression'], oci?.sink], ['oci', 'uncompressed', 'out']);
  assert.deepEqual([local?.Type, local?.Attrs, local?.sink], ['local', {}, 'folder']);
});

test('times and annotations go to exporters, annotations to images only', () => {
  const [image, tar] = asked(
    [
      { type: 'oci', sink: 'o', tar: true, names: [] },
      { type: 'tar', sink: 't' },
    ],
    {
      epoch: 12,
      annotations: [
        { level: 'manifest', key: 'k', value: 'v' },
        { level: 'index', key: 'i', value: 'w', platform: { os: 'linux', architecture: 'arm64' } },
      ],
    },
  );
  assert.deepEqual(image?.Attrs, {
    'source-date-epoch': '12',
    'rewrite-timestamp': 'true',
    'annotation-manifest.k': 'v',
    'annotation-index[linux/arm64].i': 'w',
  });
  assert.deepEqual(tar?.Attrs, { 'source-date-epoch': '12', 'rewrite-timestamp': 'true' });
});

test('in a Docker daemon, its own images; another one is refused', () => {
  const request = { frontend: 'dockerfile', options: {}, platforms: [], allow: [], annotations: [] };
  const exports = [{ type: 'docker-daemon', names: ['a:1'] }] as const;
  assert.equal(exportersOf({ ...request, exports }, { docker: true })[0]?.Type, 'moby');
  assert.throws(() => exportersOf({ ...request, exports }, { docker: false }), { code: 'REMOTE_UNSUPPORTED' });
});

test('caches', () => {
  assert.deepEqual(cacheImportOf({ type: 'registry', ref: 'r.example/c', insecure: true }), {
    Type: 'registry',
    Attrs: { ref: 'r.example/c', 'registry.insecure': 'true' },
  });
  const made = cacheExportOf({ type: 'registry', ref: 'r.example/c', mode: 'max', asIndex: true });
  assert.deepEqual([made.Attrs['mode'], made.Attrs['image-manifest']], ['max', 'false']);
  const local = { type: 'local', sink: 's', name: 'n', tag: 't', mode: 'min' } as const;
  const { Type: type, Attrs: attrs, store } = cacheExportOf(local);
  assert.deepEqual([type, attrs['dest'], store], ['local', 'n', ['local:n', local]]);
});
