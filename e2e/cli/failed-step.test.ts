import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, strake } from '../lib/strake.ts';
import { noBusybox, shellContext } from './context.ts';

const noRun =
  noBusybox ??
  (spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0 || process.getuid?.() === 0
    ? undefined
    : 'no user namespaces');

/** A line as a person would paste it, in the checkout. */
function pasted(line: string, store: TestStore): { code: number | null; said: string } {
  const env = { ...process.env, STRAKE_ROOT: store.root, NO_COLOR: '1' };
  const got = spawnSync('sh', ['-c', line], { cwd: CHECKOUT, env, encoding: 'utf8' });
  return { code: got.status, said: got.stdout + got.stderr };
}

suite('a step that fails', { skip: noRun ?? false }, () => {
  test('the last 30 lines, the lines of the file, the exit code, and a command line that comes there again', async () => {
    using store = emptyStore();
    const context = shellContext(join(store.work, "it's here"), [
      'ARG WHO=nobody',
      'RUN echo kept >/kept',
      'FROM scratch AS other',
      'COPY busybox /bin/sh',
      'FROM other AS second',
      'ARG WHO',
      'RUN i=0; while [ $i -lt 45 ]; do i=$((i+1)); echo "$WHO $i"; done; \\',
      '  exit 6',
      'FROM second',
      'RUN echo never',
    ]);
    const args = ['--build-arg', 'WHO=me and you', '-t', 'app', '--network', 'none', context];
    for (const mode of ['plain', 'tty', 'quiet']) {
      const { code, stderr } = await strake(['build', `--progress=${mode}`, ...args], store);
      assert.equal(code, 1, stderr);
      const kept = Array.from({ length: 30 }, (_, at) => String.raw`\d\.\d{3} me and you ${at + 16}\n`).join('');
      assert.match(stderr, new RegExp(`\\n\\[15 earlier lines;[^\\n]*\\]\\n${kept}------\\n`), mode);
      assert.match(stderr, /^(?:\x1b\[\?25h)?error: Dockerfile:10:1: process .* exit code: 6$/m);
      assert.match(
        stderr,
        /\n +9 \| +ARG WHO\n +10 \| >>> RUN i=0[^\n]*\n +11 \| >>> {3}exit 6\n +12 \| +FROM second\n/,
      );
      const line = /^reproduce: (.*)$/m.exec(stderr)?.[1] ?? '';
      assert.match(line, /--target second --build-arg 'WHO=me and you' --network none '.*it'\\''s here'$/);
      const again = pasted(line, store);
      assert.equal(again.code, 1, again.said);
      assert.match(again.said, /me and you 45\n[^]*error: Dockerfile:10:1: process/);
    }
    assert.deepEqual(leftovers(store.root), []);
  });

  test('memory that ran out is said', async (t) => {
    using store = emptyStore();
    const context = shellContext(join(store.work, 'c'), ['RUN x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done']);
    const { code, stderr } = await strake(['build', '-q', '--memory', '32m', context], store);
    if (code === 78) return t.skip('steps cannot be limited here');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /exit code: 137 \(SIGKILL, out of memory\)\n/);
    assert.match(stderr, /\nhelp: While it ran, memory ran out/);
    assert.match(stderr, /\nreproduce: .* --memory 32m /);
  });
});
