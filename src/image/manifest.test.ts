import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, hasCode } from '../base/index.ts';
import { digestOf, type Descriptor } from '../blob/index.ts';
import { encodeConfig, parseConfig } from './config-codec.ts';
import { encodeManifest, MANIFEST_LIMIT, parseManifest } from './manifest.ts';
import { MEDIA } from './media-types.ts';

const ID = `sha256:${'1'.repeat(64)}` as const;
const config: Descriptor = { mediaType: MEDIA.ociConfig, digest: ID, size: 12 };
const layer: Descriptor = { mediaType: MEDIA.ociLayerGzip, digest: ID, size: 34, annotations: { b: '<2>', a: '1' } };

/** The form that BuildKit v0.32 gives a manifest: Go's MarshalIndent by two spaces of image-spec's types. */
const MANIFEST = `{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "${ID}",
    "size": 12
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "${ID}",
      "size": 34,
      "annotations": {
        "a": "1",
        "b": "\\u003c2\\u003e"
      }
    }
  ],
  "annotations": {
    "k": "v"
  }
}`;

const INDEX = `{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "${ID}",
      "size": 5,
      "platform": {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7"
      },
      "artifactType": "x/y"
    }
  ]
}`;

test('manifests and indexes are encoded as BuildKit does, and read back', () => {
  const manifest = {
    kind: 'image',
    mediaType: MEDIA.ociManifest,
    config,
    layers: [layer],
    annotations: { k: 'v' },
  } as const;
  assert.equal(Buffer.from(encodeManifest(manifest)).toString(), MANIFEST);
  const parsed = parseManifest(Buffer.from(MANIFEST));
  assert.equal(parsed.kind, 'image');
  assert.equal(Buffer.from(encodeManifest(parsed)).toString(), MANIFEST);
  const index = parseManifest(Buffer.from(INDEX));
  assert.equal(index.kind, 'index');
  assert.equal(Buffer.from(encodeManifest(index)).toString(), INDEX);
});

test('a manifest that is not sound is refused with what is wrong', () => {
  const base = { schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [layer] };
  const cases: readonly (readonly [value: unknown, code: string, message: RegExp, mediaType?: string])[] = [
    ['x', 'MANIFEST_INVALID', /not JSON/],
    [[], 'MANIFEST_INVALID', /not a JSON object/],
    [{ ...base, schemaVersion: 3 }, 'MANIFEST_INVALID', /schemaVersion/],
    [{ schemaVersion: 1, fsLayers: [] }, 'MANIFEST_UNSUPPORTED', /schema 1/],
    [{ schemaVersion: 1 }, 'MANIFEST_UNSUPPORTED', /schema 1/, MEDIA.schema1Signed],
    [{ ...base, manifests: [] }, 'MANIFEST_INVALID', /both/],
    [base, 'MANIFEST_INVALID', /announced as/, MEDIA.dockerManifest],
    [{ ...base, mediaType: undefined }, 'MANIFEST_INVALID', /content is an image manifest/, MEDIA.ociIndex],
    [{ ...base, mediaType: 'x/unknown' }, 'MANIFEST_UNSUPPORTED', /"x\/unknown"/],
    [{ schemaVersion: 2 }, 'MANIFEST_INVALID', /neither/],
    [{ ...base, config: undefined }, 'MANIFEST_INVALID', /"config" is not a descriptor/],
    [{ ...base, layers: {} }, 'MANIFEST_INVALID', /"layers" is not a list/],
    [{ ...base, layers: [{ ...layer, size: -1 }] }, 'MANIFEST_INVALID', /layers\[0\]\.size/],
    [{ ...base, layers: [{ ...layer, size: 1.5 }] }, 'MANIFEST_INVALID', /layers\[0\]\.size/],
    [{ ...base, layers: [{ ...layer, digest: 'sha256:../../etc' }] }, 'DIGEST_INVALID', /sha256/],
    [{ ...base, layers: [{ ...layer, digest: `blake3:${'1'.repeat(64)}` }] }, 'DIGEST_UNSUPPORTED', /blake3/],
    [{ ...base, annotations: { a: 1 } }, 'MANIFEST_INVALID', /annotations/],
    [{ ...base, config: { ...config, data: 'e30=' } }, 'MANIFEST_INVALID', /data/],
  ];
  for (const [value, code, message, mediaType] of cases) {
    const text = value === 'x' ? 'x' : JSON.stringify(value);
    assert.throws(
      () => parseManifest(Buffer.from(text), { mediaType }),
      (error) => error instanceof CodedError && error.code === code && message.test(error.message),
      text,
    );
  }
  assert.throws(
    () => parseManifest(Buffer.alloc(MANIFEST_LIMIT + 1, ' ')),
    (error) => hasCode(error, 'MANIFEST_TOO_LARGE'),
  );
  assert.throws(() => parseManifest(Buffer.from([0xff])), /not UTF-8/);
});

test('a document without a media type is what it was announced as, or OCI', () => {
  const { mediaType: _, ...bare } = { schemaVersion: 2, mediaType: '', config, layers: [layer] };
  assert.equal(parseManifest(Buffer.from(JSON.stringify(bare))).mediaType, MEDIA.ociManifest);
  assert.equal(
    parseManifest(Buffer.from(JSON.stringify(bare)), { mediaType: MEDIA.ociManifest }).mediaType,
    MEDIA.ociManifest,
  );
});

test('an artifact with an empty config and embedded data is read', () => {
  const content = Buffer.from('{}');
  const artifact = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    artifactType: 'x/y',
    config: { mediaType: MEDIA.ociEmpty, digest: digestOf(content), size: 2, data: 'e30=' },
    layers: [layer],
    subject: { mediaType: MEDIA.ociManifest, digest: ID, size: 1 },
  };
  const parsed = parseManifest(Buffer.from(JSON.stringify(artifact)));
  assert.ok(parsed.kind === 'image' && parsed.config.data === 'e30=' && parsed.subject?.digest === ID);
});

/** As BuildKit writes a config: one line, top-level members sorted, the others in Go's order. */
const CONFIG =
  '{"architecture":"amd64","config":{"User":"app","ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Cmd":["sh","-c","a \\u0026\\u0026 b"],"WorkingDir":"/","Labels":{"10":"x","9":"y"},"Healthcheck":{"Test":["CMD","true"],"Interval":1000000000},"Shell":["/bin/sh"]},"created":"2024-01-02T03:04:05.6Z","history":[{"created":"2024-01-02T03:04:05.6Z","created_by":"COPY . . # buildkit","comment":"buildkit.dockerfile.v0"},{"created_by":"CMD","empty_layer":true}],"moby.buildkit.cache.v0":"e30=","os":"linux","rootfs":{"type":"layers","diff_ids":["' +
  ID +
  '"]},"variant":"v2"}';

test('a config is encoded as BuildKit does, unknown members included', () => {
  assert.equal(Buffer.from(encodeConfig(parseConfig(Buffer.from(CONFIG)))).toString(), CONFIG);
  const built = encodeConfig({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [] },
    config: { Labels: {}, Cmd: null, Entrypoint: ['a'], Env: [], User: '', Healthcheck: {} },
    author: '',
  });
  assert.equal(
    Buffer.from(built).toString(),
    '{"architecture":"amd64","config":{"Entrypoint":["a"],"Healthcheck":{}},"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  );
});

test('a config that is not sound is refused', () => {
  for (const text of [
    'x',
    '[]',
    '{}',
    '{"rootfs":{"diff_ids":[1]}}',
    '{"rootfs":{},"history":[1]}',
    '{"rootfs":{},"os":1}',
    '{"rootfs":{},"config":[]}',
  ])
    assert.throws(
      () => parseConfig(Buffer.from(text)),
      (error) => hasCode(error, 'CONFIG_INVALID'),
      text,
    );
});
