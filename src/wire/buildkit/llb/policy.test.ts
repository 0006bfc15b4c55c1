import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSourcePolicy, type Source, type SourcePolicy } from '../../../graph/index.ts';
import { SourceOpSchema } from '../../gen/buildkit/ops_pb.ts';
import { create } from '../../grpc/index.ts';
import { fromWirePolicy, policedSource, policedWire, toWirePolicy } from './policy.ts';

const platform = { os: 'linux', architecture: 'arm64' };
const digest = `sha256:${'a'.repeat(64)}` as const;
const image: Source = { type: 'image', reference: 'docker.io/library/alpine:3', platform, pull: 'never' };

function convert(from: string, to: string, attrs?: Record<string, string>): SourcePolicy {
  const selector = { identifier: from, matchType: 'WILDCARD' };
  return readSourcePolicy(
    JSON.stringify({ rules: [{ action: 'CONVERT', selector, updates: { identifier: to, attrs } }] }),
  );
}

test('what a rule makes of an image keeps what was asked of it', () => {
  const pin = convert(
    'docker-image://docker.io/library/alpine:3',
    `docker-image://docker.io/library/alpine:3@${digest}`,
  );
  assert.deepEqual(policedSource(image, [pin]), {
    type: 'image',
    reference: `docker.io/library/alpine:3@${digest}`,
    platform,
    pull: 'never',
    layerLimit: undefined,
  });
  const layer = { ...image, layer: digest };
  assert.equal((policedSource(layer, [pin]) as typeof layer).layer, digest);
  assert.equal(policedSource(image, [convert('docker-image://quay.io/*', 'x')]), image);
});

test('an image becomes a layout, files of the client, a file of the web; a base of packages goes by the name of an image', () => {
  const made = (to: string, source: Source = image) => policedSource(source, [convert('docker-image://*', to)]);
  assert.equal(made(`oci-layout://mirror@${digest}`).type, 'oci-layout');
  assert.deepEqual((made('local://base') as { name: string }).name, 'base');
  assert.equal((made('https://a.example/x') as { url: string }).url, 'https://a.example/x');
  const base = made('docker-image://packages.local/debian:bookworm');
  assert.deepEqual(base, { type: 'packages', reference: 'packages.local/debian:bookworm', platform, pull: 'never' });
  const deny = readSourcePolicy(
    '{"rules":[{"action":"DENY","selector":{"identifier":"docker-image://packages.local/*"}}]}',
  );
  assert.throws(() => policedSource(base, [deny]), /source "docker-image:\/\/packages.local\/debian:bookworm" denied/);
});

test('a download gets a checksum, a repository is known by host and path', () => {
  const sum = convert('https://a.example/f', 'https://a.example/f', { 'http.checksum': digest });
  const http: Source = { type: 'http', url: 'https://a.example/f', mode: 0o640 };
  const got = policedSource(http, [sum]);
  assert.deepEqual([got.type === 'http' && got.checksum, got.type === 'http' && got.mode], [digest, 0o640]);
  const deny = readSourcePolicy(
    '{"rules":[{"action":"DENY","selector":{"identifier":"git://git.example/a/b.git#main:sub"}}]}',
  );
  for (const url of ['https://me@git.example/a/b.git', 'ssh://git@git.example/a/b.git', 'git@git.example:a/b.git'])
    assert.throws(() => policedSource({ type: 'git', url, ref: 'main', subdir: 'sub' }, [deny]), /denied by policy/);
});

test('an op of the wire is looked at by its full name and its own attributes', () => {
  const wire = create(SourceOpSchema, {
    identifier: 'docker-image://alpine:3',
    attrs: { 'image.resolvemode': 'pull' },
  });
  const deny = (key: string): SourcePolicy =>
    readSourcePolicy(
      JSON.stringify({
        rules: [
          {
            action: 'DENY',
            selector: {
              identifier: 'docker-image://docker.io/library/alpine:3',
              constraints: [{ key, value: 'pull', condition: 'EQUAL' }],
            },
          },
        ],
      }),
    );
  assert.throws(() => policedWire(wire, [deny('image.resolvemode')]), /denied by policy/);
  assert.equal(policedWire(wire, [deny('image.recordtype')]), wire);
  const made = policedWire(wire, [convert('docker-image://*', 'local://x')]);
  assert.deepEqual([made.identifier, made.attrs], ['local://x', {}]);
});

test('a policy is the same after the wire; one with a hole in it is refused', () => {
  const policy = readSourcePolicy(
    JSON.stringify({
      rules: [
        {
          action: 'DENY',
          selector: {
            identifier: 'a',
            matchType: 'REGEX',
            constraints: [{ key: 'k', value: 'v', condition: 'MATCHES' }],
          },
        },
        {
          action: 'CONVERT',
          selector: { identifier: 'b', matchType: 'EXACT' },
          updates: { identifier: 'c', attrs: { d: 'e' } },
        },
      ],
    }),
  );
  const wire = toWirePolicy(policy);
  assert.deepEqual(fromWirePolicy(wire), policy);
  assert.throws(() => fromWirePolicy({ ...wire, rules: [{ ...wire.rules[0]!, selector: undefined }] }), /no selector/);
  assert.throws(() => fromWirePolicy({ ...wire, rules: [{ ...wire.rules[0]!, action: 7 as never }] }), /action 7/);
});
