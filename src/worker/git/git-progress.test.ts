import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StepProgress } from '../../solve/index.ts';
import { GitProgress, withoutProgress } from './git-progress.ts';

const SAID = [
  'remote: Enumerating objects: 11, done.        \n',
  'remote: Counting objects:  50% (5/11)        \rremote: Counting objects: 100% (11/11), done.        \n',
  'Receiving objects:   9% (1/11)\rReceiving objects:  45% (5/11), 1.20 MiB | 2.00 MiB/s\r',
  'Receiving objects: 100% (11/11), 3.10 MiB | 2.00 MiB/s, done.\n',
  'Resolving deltas: 100% (2/2), done.\n',
  'From https://git.example/app\n * [new ref]         0123abcd -> refs/strake/0123abcd\n',
].join('');

test('how far a fetch is, however its words are cut', () => {
  for (const size of [1, 7, 64, 10_000]) {
    const got: StepProgress[] = [];
    const progress = new GitProgress((one) => got.push(one));
    const bytes = Buffer.from(SAID);
    for (let at = 0; at < bytes.length; at += size) progress.see(bytes.subarray(at, at + size));
    assert.deepEqual(
      got.map(({ item, current, total, done }) => [item, current, total, done]),
      [
        ['counting objects', 5, 11, false],
        ['counting objects', 11, 11, true],
        ['receiving objects', 1, 11, false],
        ['receiving objects', 5, 11, false],
        ['receiving objects', 11, 11, true],
        ['resolving deltas', 2, 2, true],
      ],
    );
    assert.ok(got.every(({ unit }) => unit === 'objects'));
  }
});

test('what went wrong is told without that', () => {
  assert.equal(withoutProgress(SAID), '');
  assert.equal(
    withoutProgress(`${SAID}remote: Repository not found.\nfatal: early EOF\n ! [rejected] a -> b\n`),
    'remote: Repository not found.\nfatal: early EOF\n ! [rejected] a -> b',
  );
});
