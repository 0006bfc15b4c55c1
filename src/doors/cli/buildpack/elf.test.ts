import assert from 'node:assert/strict';
import { closeSync, openSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { linkageOf, type Linkage } from './elf.ts';

function linkageAt(path: string): Linkage | undefined {
  const fd = openSync(path, 'r');
  try {
    return linkageOf(fd);
  } finally {
    closeSync(fd);
  }
}

test('what a program asks for, and where; what is no program asks for nothing', () => {
  const node = linkageAt(process.execPath);
  assert.match(node?.interpreter?.path ?? '', /^\/.*\/ld-linux/);
  assert.equal(node?.interpreter?.size, (node?.interpreter?.path.length ?? 0) + 1);
  assert.ok(node?.needed.includes('libc.so.6'));
  assert.equal(node?.soname, undefined);
  const { size } = statSync(process.execPath);
  assert.ok(node !== undefined && node.end > size / 2 && node.end <= size);
  const loader = linkageAt(node.interpreter.path);
  assert.equal(loader?.interpreter, undefined);
  assert.match(loader?.soname ?? '', /^ld-linux/);
  assert.equal(linkageAt(import.meta.filename), undefined);
});
