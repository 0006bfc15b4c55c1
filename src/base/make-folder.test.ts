import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './make-folder.ts';

test('makeFolder() makes what leads to it, and is content with what is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-folder-'));
  try {
    makeFolder(join(folder, 'a/b/c'), 0o700);
    makeFolder(join(folder, 'a/b/c'));
    assert.ok(statSync(join(folder, 'a/b/c')).isDirectory());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('makeFolder() fails where nothing can be made, and does not try for ever', () => {
  assert.throws(() => makeFolder('/proc/strake-none/a/b'), { code: /ENOENT|EACCES|EPERM|ENOTDIR/ });
});
