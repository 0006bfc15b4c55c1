import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../base/index.ts';
import { canonicalReference, familiarReference, parseReference } from './reference.ts';

const HEX = 'a'.repeat(64);
const DIGEST = `sha256:${HEX}`;

test('names are read as Docker reads them', () => {
  const cases: readonly (readonly [text: string, canonical: string, familiar?: string])[] = [
    ['debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['debian:bookworm', 'docker.io/library/debian:bookworm', 'debian:bookworm'],
    ['docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['index.docker.io/team/app:1', 'docker.io/team/app:1', 'team/app:1'],
    ['team/app', 'docker.io/team/app:latest', 'team/app:latest'],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['localhost:5000', 'docker.io/library/localhost:5000', 'localhost:5000'],
    ['host.example/app:1.0', 'host.example/app:1.0'],
    ['HOST.example:80/a/b/c', 'host.example:80/a/b/c:latest'],
    ['127.0.0.1:5000/x', '127.0.0.1:5000/x:latest'],
    ['[::1]:5000/x:y', '[::1]:5000/x:y'],
    ['[fe80::1]/x', '[fe80::1]/x:latest'],
    [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
    [`h.io/a:t@${DIGEST}`, `h.io/a:t@${DIGEST}`],
    ['a__b/c-d.e---f', 'docker.io/a__b/c-d.e---f:latest', 'a__b/c-d.e---f:latest'],
  ];
  for (const [text, canonical, familiar = canonical] of cases) {
    const reference = parseReference(text);
    assert.equal(canonicalReference(reference), canonical);
    assert.equal(familiarReference(reference), familiar);
    assert.deepEqual(parseReference(familiar), reference);
  }
  assert.equal(parseReference('debian', { bare: true }).tag, undefined);
});

test('what is no name says why and what to write', () => {
  const cases: readonly (readonly [text: string, detail: RegExp, remedy?: RegExp])[] = [
    ['', /empty/, /Write a name/],
    ['a b', /white space/],
    ['https://host/x', /no scheme/, /"host\/x"/],
    [HEX, /image ID/],
    [DIGEST, /image ID/],
    ['Debian', /upper-case/, /"debian"/],
    ['Team/App:1', /upper-case/, /"team\/app"/],
    ['host.io/Team/App', /upper-case/, /"team\/app"/],
    ['debian:', /no tag/],
    ['debian:-x', /tag "-x"/],
    [`debian:${'t'.repeat(129)}`, /tag/, /128/],
    ['debian@', /no digest/],
    ['debian@sha256:12', /"sha256:12" is not a digest/, /64 hex/],
    ['debian@md5:00', /not a digest/],
    ['host.io/', /missing/],
    ['host.io//x', /empty/],
    ['a/b/', /empty/],
    ['_a', /"_a" is not valid/],
    ['a..b', /not valid/],
    ['host:port/x', /not a port/],
    ['host:70000/x', /not a port/],
    ['::1/x', /not a registry/, /brackets/],
    ['-h.io/x', /not a registry/],
    [`h.io/${'a'.repeat(255)}`, /255/],
  ];
  for (const [text, detail, remedy] of cases)
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof CodedError &&
        error.code === 'REFERENCE_INVALID' &&
        error.kind === 'invalid' &&
        error.message.startsWith(`read image name "${text}": `) &&
        detail.test(error.message) &&
        (remedy === undefined || remedy.test(error.remedy ?? '')),
      text,
    );
});

test('any text is a name or one clear error, and a name reads back as itself', () => {
  const part = fc.stringMatching(/^[a-zA-Z0-9_.:@[\]/-]{0,30}$/);
  fc.assert(
    fc.property(fc.oneof(part, fc.string()), (text) => {
      let reference;
      try {
        reference = parseReference(text);
      } catch (error) {
        assert.ok(error instanceof CodedError && error.kind === 'invalid', String(error));
        return;
      }
      assert.deepEqual(parseReference(canonicalReference(reference)), reference);
      assert.deepEqual(parseReference(familiarReference(reference)), reference);
    }),
    { numRuns: 2000 },
  );
});
