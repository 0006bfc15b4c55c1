import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findTool, hasCode, systemRandom, tempFolder } from '../base/index.ts';
import { dearmored, keyringBytes, type Keyring } from './keyring.ts';
import { armored, testKey, type TestKey } from './openpgp.suite.ts';
import { verifySignature, type Verified } from './signature.ts';

const skip = findTool('gpgv') === undefined && 'gpgv is not installed';
const TEXT = 'Suite: sid\n- a dash\nDate: now   \n';

async function verify(
  signed: Parameters<typeof verifySignature>[0],
  keys: readonly TestKey[],
  o: { fingerprints?: readonly string[]; armor?: boolean } = {},
): Promise<Verified> {
  using folder = tempFolder(tmpdir(), systemRandom);
  const files = keys.map((key, i) => {
    const path = join(folder.path, `ring-${i}.gpg`);
    writeFileSync(path, o.armor === true ? armored('PUBLIC KEY BLOCK', key.keyring) : key.keyring);
    return path;
  });
  const keyring: Keyring = { files, fingerprints: o.fingerprints ?? [], isDebian: false };
  const scratch = join(folder.path, 'scratch');
  try {
    return await verifySignature(signed, { keyring, what: '"x"', scratch, random: systemRandom });
  } finally {
    assert.deepEqual(readdirSync(scratch), []);
  }
}

const bad = (message: RegExp) => (error: unknown) => hasCode(error, 'SIGNATURE_BAD') && message.test(error.message);
const clear = (key: TestKey, change = (text: string): string => text): { message: Buffer } => ({
  message: Buffer.from(change(key.clearSign(TEXT))),
});

test('a good clear-signed message: the text that was signed, and who signed', { skip }, async () => {
  const key = testKey();
  const other = testKey();
  for (const armor of [false, true]) {
    const verified = await verify(clear(key), [other, key], { armor });
    assert.equal(verified.text.toString(), 'Suite: sid\n- a dash\nDate: now\n');
    assert.deepEqual(verified.signers, [key.fingerprint]);
  }
});

test('text around the signed part is not given back', { skip }, async () => {
  const key = testKey();
  const { text } = await verify(
    clear(key, (message) => `Suite: evil\n\n${message}\nSuite: evil\n`),
    [key],
  );
  assert.ok(!text.toString().includes('evil'));
});

test('a detached signature', { skip }, async () => {
  const key = testKey();
  const text = Buffer.from(TEXT);
  assert.deepEqual((await verify({ text, signature: key.detach(text) }, [key])).signers, [key.fingerprint]);
  await assert.rejects(
    verify({ text: Buffer.from(`${TEXT}x`), signature: key.detach(text) }, [key]),
    bad(/does not match/),
  );
});

test('what is not signed as it should be', { skip }, async () => {
  const key = testKey();
  await assert.rejects(
    verify(
      clear(key, (message) => message.replace('sid', 'six')),
      [key],
    ),
    bad(/does not match/),
  );
  await assert.rejects(verify(clear(testKey()), [key]), bad(/which the keyring does not hold/));
  await assert.rejects(verify({ message: Buffer.from(TEXT) }, [key]), bad(/verify "x": /));
  await assert.rejects(verify({ message: Buffer.alloc(0) }, [key]), bad(/verify "x": /));
  const old = testKey({ expiresAfter: 86_400 });
  await assert.rejects(verify(clear(old), [old]), bad(/has expired/));
  const weak = testKey({ hash: 'sha1' });
  await assert.rejects(verify(clear(weak), [weak]), bad(/verify "x": /));
});

test('only the fingerprints that are named', { skip }, async () => {
  const key = testKey();
  assert.deepEqual((await verify(clear(key), [key], { fingerprints: [key.fingerprint] })).signers, [key.fingerprint]);
  await assert.rejects(verify(clear(key), [key], { fingerprints: ['0'.repeat(40)] }), bad(/verify "x": /));
});

test('armor is taken off', () => {
  const content = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 256));
  assert.deepEqual(dearmored(content), content);
  const text = `junk\n${armored('PUBLIC KEY BLOCK', content).replace('\n\n', '\nVersion: 1\n\n')}\n${armored('PUBLIC KEY BLOCK', content)}`;
  assert.deepEqual(dearmored(Buffer.from(text)), Buffer.concat([content, content]));
  assert.deepEqual(dearmored(Buffer.from(text.replaceAll('\n', '\r\n'))), Buffer.concat([content, content]));
  const key = armored('PUBLIC KEY BLOCK', content);
  assert.deepEqual(keyringBytes({ files: [], key, fingerprints: [], isDebian: false }), content);
  assert.throws(
    () => keyringBytes({ files: ['/nonexistent/key'], fingerprints: [], isDebian: false }),
    (error) => hasCode(error, 'KEYRING_MISSING'),
  );
});
