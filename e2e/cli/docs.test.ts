import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedDocs } from '../../scripts/docs.ts';

const root = join(import.meta.dirname, '../..');

test('docs/cli.md and docs/errors.md are what the sources say ("node scripts/docs.ts" writes them)', async () => {
  for (const [path, text] of await generatedDocs())
    assert.ok(readFileSync(join(root, path), 'utf8') === text, `${path} is out of date`);
});
