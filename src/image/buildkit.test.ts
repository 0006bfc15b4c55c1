import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, systemRandom } from '../base/index.ts';
import { writeDockerArchive, writeOciArchive } from './archive-writer.ts';
import { CREATED, selectImage } from './bundle.ts';
import { encodeConfig, parseConfig } from './config-codec.ts';
import { contentsOf } from './contents.ts';
import { encodeManifest, parseManifest } from './manifest.ts';
import { openArchive } from './open-archive.ts';

for (const [name, write] of [
  ['oci', writeOciArchive],
  ['docker', writeDockerArchive],
  ['index', writeOciArchive],
] as const)
  test(`what BuildKit wrote is written again byte for byte (${name})`, async () => {
    const path = join(import.meta.dirname, 'testdata', `buildkit-${name}.tar`);
    using archive = await openArchive(path, { temp: tmpdir(), random: systemRandom });
    const entry = selectImage(archive, { what: path });
    assert.deepEqual(entry.names, ['docker.io/library/app:1']);
    const image = await entry.open();
    for (const content of await contentsOf(image)) {
      const bytes = Buffer.from(await collect(await content.open()));
      if (content.role === 'manifest' || content.role === 'index')
        assert.equal(Buffer.from(encodeManifest(parseManifest(bytes))).toString(), bytes.toString());
      // An attestation's config is encoded from Go's own type, so not sorted.
      if (content.role === 'config' && name !== 'index')
        assert.equal(Buffer.from(encodeConfig(parseConfig(bytes))).toString(), bytes.toString());
    }
    const chunks: Uint8Array[] = [];
    const created = entry.descriptor?.annotations?.[CREATED];
    await write([{ image, names: entry.names }], (chunk) => void chunks.push(chunk), { created });
    assert.ok(Buffer.concat(chunks).equals(readFileSync(path)));
  });
