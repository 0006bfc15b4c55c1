import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { textWidth } from '../../src/doors/cli/progress/text.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake } from '../lib/strake.ts';
import { folderWith, noBusybox, shellContext } from './context.ts';

const launcher = join(CHECKOUT, 'strake');
const noScript = findTool('script') === undefined ? 'script (bsdutils) is not installed' : undefined;
const noRun =
  noBusybox ??
  (spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0 || process.getuid?.() === 0
    ? undefined
    : 'no user namespaces');

/** What a terminal of this size is sent. */
function onTerminal(
  command: string,
  o: { columns: number; rows: number; store: TestStore; env?: Record<string, string> },
): string {
  const line = `stty cols ${o.columns} rows ${o.rows}; ${command}`;
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: o.store.work,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    STRAKE_ROOT: o.store.root,
    STRAKE: launcher,
    ...o.env,
  };
  return spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8', env, maxBuffer: 64 << 20 }).stdout;
}

/** The lines that a terminal shows in the end: cursor movements and erasures carried out. */
function screenOf(text: string): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  for (const [, csi, kind, plain] of text.matchAll(/\x1b\[([?0-9;]*)([A-Za-z])|([\s\S])/g)) {
    if (kind === 'A') row = Math.max(0, row - Number(csi || 1));
    else if (kind === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (kind === 'J') lines.splice(row, Infinity, (lines[row] ?? '').slice(0, column));
    else if (plain === '\n') {
      row += 1;
      lines[row] ??= '';
    } else if (plain === '\r') column = 0;
    else if (plain !== undefined) {
      const line = lines[row] ?? '';
      lines[row] = line.slice(0, column) + plain + line.slice(column + plain.length);
      column += plain.length;
    }
  }
  return lines;
}

suite('on a terminal', { skip: noScript ?? false }, () => {
  const context = (store: TestStore): string =>
    shellContext(join(store.work, 'c'), [
      "RUN i=0; while [ $i -lt 30 ]; do i=$((i+1)); printf '\\033[31m%s\\033[0m 日本語 🎉 and more and more and more and more and more and more and more\\n' $i; done; sleep 0.5",
    ]);

  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
  ] as const)
    test(
      `the picture fits ${columns} columns and ${rows} rows, and what is left is the whole`,
      { skip: noRun ?? false },
      async () => {
        using store = emptyStore();
        const sent = onTerminal(`"$STRAKE" build ${context(store)} -t app`, { columns, rows, store });
        const shown = screenOf(sent);
        for (const line of shown.slice(
          0,
          shown.findIndex((one) => one.startsWith('sha256:')),
        ))
          assert.ok(textWidth(line) <= columns, line);
        assert.match(shown[0] ?? '', /^\[\+\] Building \d+\.\ds \((\d+)\/\1\) FINISHED/);
        assert.ok(
          shown.some((line) => line.startsWith(' => [2/2] RUN')),
          shown.join('\n'),
        );
        assert.ok(sent.includes(' => => # 30 日本語 🎉'), 'the last lines of what runs are shown');
        assert.equal(
          shown.some((line) => line.includes('=> #')),
          false,
          'and gone when it is over',
        );
        assert.ok(shown.some((line) => /^sha256:[0-9a-f]{64}$/.test(line)));
        assert.ok(sent.lastIndexOf('\x1b[?25h') > sent.lastIndexOf('\x1b[?25l'), 'the cursor is back');
        const again = screenOf(onTerminal(`"$STRAKE" build ${context(store)}`, { columns, rows, store }));
        assert.ok(again.some((line) => line.startsWith(' => CACHED [2/2] RUN')));
      },
    );

  test('NO_COLOR, TERM=dumb, CI, and a file', async () => {
    using store = emptyStore();
    const tiny = folderWith(join(store.work, 't'), { Dockerfile: 'FROM scratch\nLABEL a=b\n' });
    const size = { columns: 80, rows: 24, store };
    const command = `"$STRAKE" build ${tiny}`;
    assert.match(onTerminal(command, size), /\x1b\[34m/);
    const colorless = onTerminal(command, { ...size, env: { NO_COLOR: '1' } });
    assert.match(colorless, /\[\+\] Building/);
    assert.equal(/\x1b\[[0-9;]*m/.test(colorless), false);
    for (const env of [{ TERM: 'dumb' }, { CI: 'true' }]) {
      const plain = onTerminal(command, { ...size, env });
      assert.match(plain, /^#1 \[internal\] load build definition from Dockerfile\r$/m);
    }
    assert.equal(onTerminal(command, { ...size, env: { TERM: 'dumb' } }).includes('\x1b'), false);
    assert.match(onTerminal(`${command} 2>&1 | cat`, size), /^#1 /);
    assert.match(onTerminal(`${command} --progress=tty 2>&1 | cat`, size), /\[\+\] Building/);
  });

  test('an archive is not written to a terminal', async () => {
    using store = emptyStore();
    const tiny = folderWith(join(store.work, 't'), { Dockerfile: 'FROM scratch\nLABEL a=b\n' });
    const size = { columns: 80, rows: 24, store };
    assert.match(
      onTerminal(`"$STRAKE" build -o - ${tiny}; echo "code $?"`, size),
      /standard output is a terminal[\s\S]*code 64/,
    );
    assert.match(onTerminal(`"$STRAKE" save app; echo "code $?"`, size), /it is a terminal[\s\S]*code 64/);
    assert.match(
      onTerminal(`"$STRAKE" build -; echo "code $?"`, size),
      /standard input: it is a terminal|it is a terminal[\s\S]*code 64/,
    );
  });

  test('a step that fails shows its log, its line and its code', { skip: noRun ?? false }, async () => {
    using store = emptyStore();
    const failing = shellContext(join(store.work, 'f'), ['RUN echo before && exit 7']);
    for (const args of [['--progress=tty'], ['--progress=plain'], ['-q']]) {
      const { code, stderr } = await strake(['build', ...args, failing], store);
      assert.equal(code, 1);
      assert.match(stderr, /------\n > \[2\/2\] RUN echo before && exit 7:\n\d\.\d{3} before\n------\n/);
      assert.match(
        stderr,
        /error: Dockerfile:4(:1)?: process .* exit code: 7\n(.*\n)*.* 4 \| >>> RUN echo before && exit 7\n/,
      );
    }
    const long = shellContext(join(store.work, 'l'), [
      'RUN i=0; while [ $i -lt 250 ]; do i=$((i+1)); echo $i; done; exit 1',
    ]);
    assert.match((await strake(['build', '-q', long], store)).stderr, /\[220 earlier lines.*\]\n\d+\.\d{3} 221\n/);
  });
});

suite('interrupted', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    test(`${signal} ends a build and leaves nothing`, { skip: noRun ?? false }, async () => {
      using store = emptyStore();
      const slow = shellContext(join(store.work, 's'), ['RUN sleep 60 & echo started && sleep 60']);
      // It is two seconds at most; a machine that is busy with something else gets another try.
      let took = Infinity;
      for (let attempt = 0; attempt < 3 && took >= 2000; attempt++) {
        const child = spawn(launcher, ['build', '--progress=plain', slow], {
          env: { ...process.env, STRAKE_ROOT: store.root },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let text = '';
        let sentAt = 0;
        child.stderr.on('data', (chunk: Buffer) => {
          text += String(chunk);
          if (sentAt > 0 || !/\d started$/m.test(text)) return;
          sentAt = performance.now();
          child.kill(signal);
        });
        const ended = await new Promise<number | null>((resolve) => child.on('close', resolve));
        took = performance.now() - sentAt;
        assert.equal(ended, code, text);
        assert.match(text, new RegExp(`#\\d+ CANCELED\\ninterrupted by ${signal}\\n$`));
        assert.doesNotMatch(text, /\n\s+at /, 'no stack trace');
        assert.deepEqual(leftovers(store.root), []);
      }
      assert.ok(took < 2000, `within two seconds, not ${Math.round(took)} ms`);
      await ok(['doctor', '--check-store'], store);
      assert.deepEqual(leftovers(store.root), []);
    });

  test('a reader that goes away is no error', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), {
      Dockerfile: 'FROM scratch\nCOPY big /\n',
      big: 'x'.repeat(4 << 20),
    });
    await ok(['build', '-q', '-t', 'app', context], store);
    for (const command of ['save --compression uncompressed app', 'build -q -o - c', 'help outputs']) {
      const script = `cd "$1"; { "$0" ${command}; echo "code $?" >&2; } | head -c 10 >/dev/null`;
      const { stderr } = spawnSync('sh', ['-c', script, launcher, store.work], {
        encoding: 'utf8',
        env: { ...process.env, STRAKE_ROOT: store.root },
      });
      assert.match(stderr, /^code (141|0)\n$/, command);
    }
    assert.deepEqual(leftovers(store.root), []);
  });
});
