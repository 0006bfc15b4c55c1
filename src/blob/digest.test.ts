import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, collect, hasCode } from '../base/index.ts';
import { algorithmOf, digestOf, Digester, hexOf, isDigest, parseDigest } from './digest.ts';
import { verified } from './verified.ts';

const HEX = 'ab'.repeat(32);

test('digests are read, and what is none is refused', () => {
  assert.equal(parseDigest(`sha256:${HEX}`), `sha256:${HEX}`);
  assert.equal(algorithmOf(parseDigest(`sha512:${HEX}${HEX}`)), 'sha512');
  assert.equal(hexOf(parseDigest(`sha256:${HEX}`)), HEX);
  for (const text of [
    '',
    HEX,
    'sha256:',
    `sha256:${HEX}0`,
    `sha256:${HEX.toUpperCase()}`,
    `sha512:${HEX}`,
    `:${HEX}`,
    `sha256:../../${HEX}`,
    `sha256:${HEX}\n`,
  ]) {
    assert.equal(isDigest(text), false, text);
    assert.throws(
      () => parseDigest(text),
      (error) => hasCode(error, 'DIGEST_INVALID'),
      text,
    );
  }
  assert.throws(
    () => parseDigest(`blake3:${HEX}`),
    (error) => hasCode(error, 'DIGEST_UNSUPPORTED'),
  );
});

test('a digest is that of the bytes, in whatever pieces they come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array()), async (chunks) => {
      const whole = Buffer.concat(chunks);
      const digester = new Digester();
      for (const chunk of chunks) digester.update(chunk);
      assert.equal(digester.size, whole.length);
      const digest = digester.digest();
      assert.equal(digest, `sha256:${createHash('sha256').update(whole).digest('hex')}`);
      assert.equal(digest, digestOf(whole));
      const descriptor = { mediaType: 'x', digest, size: whole.length };
      assert.deepEqual(Buffer.from(await collect(verified(bytesOf(...chunks), descriptor))), whole);
      const other = Buffer.concat([whole, Buffer.from([0])]);
      await assert.rejects(collect(verified(bytesOf(other), descriptor)), (error) => hasCode(error, 'BLOB_CORRUPT'));
      await assert.rejects(collect(verified(bytesOf(other), { ...descriptor, size: other.length })), (error) =>
        hasCode(error, 'BLOB_CORRUPT'),
      );
    }),
    { numRuns: 50 },
  );
});
