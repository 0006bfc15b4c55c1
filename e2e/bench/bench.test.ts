import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

function bench(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { status: number | null; stdout: string; stderr: string; left: string[] } {
  const work = mkdtempSync(join(tmpdir(), 'strake-bench-test-'));
  try {
    const argv = ['--disable-warning=ExperimentalWarning', join(ROOT, 'bench/main.ts'), '--work', work, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    return { status, stdout, stderr, left: readdirSync(work) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

test('a filtered run prints its table, keeps no figures and leaves nothing behind', () => {
  const page = join(ROOT, 'docs/performance.md');
  const before = readFileSync(page, 'utf8');
  const { status, stdout, stderr, left } = bench(['--quick', '--only', 'tiny-copy', '--tool', 'strake', '--profile']);
  assert.equal(status, 0, stderr);
  const [head = '', row = ''] = stdout.split('\n');
  assert.match(head, /^workload +tool +seconds +fastest +slowest +to the best other +cpu s +peak MiB +output MB$/);
  const figures = /^COPY of one small file, FROM scratch +strake +(.*)$/.exec(row)?.[1]?.trim().split(/ +/).map(Number);
  assert.equal(figures?.length, 6, row);
  assert.ok(
    figures.every((figure) => figure > 0),
    row,
  );
  assert.match(stdout, /ms {2}\[1\/1\] COPY hello \/hello$/m);
  assert.equal(readFileSync(page, 'utf8'), before);
  assert.deepEqual(left, []);
});

test('a workload that there is not, and a tool that fails, are said', () => {
  const unknown = bench(['--only', 'nothing', '--tool', 'strake']);
  assert.deepEqual([unknown.status, unknown.left], [1, []]);
  assert.match(unknown.stderr, /nothing to measure/);
  const failing = bench(['--only', 'tiny-copy', '--tool', 'strake'], {
    LC_ALL: 'C',
    STRAKE_BENCH_STRAKE: 'ls --no-such-flag',
  });
  assert.deepEqual([failing.status, failing.left], [1, []]);
  assert.match(failing.stderr, /"ls --no-such-flag build .*" ended with code 2:\n[^]*unrecognized option/);
});
