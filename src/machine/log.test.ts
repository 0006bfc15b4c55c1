import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { logNumbers } from './log-files.ts';
import { LogWriter } from './log-writer.ts';
import { readLog, type LogEntry, type LogOptions } from './read-log.ts';

async function folder(): Promise<{ path: string } & Disposable> {
  const path = await mkdtemp(join(tmpdir(), 'strake-log-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const clock = { at: 0, now: () => clock.at };
const limits = { clock, maxBytes: 1 << 20, maxFiles: 5 };

async function all(path: string, o: Partial<LogOptions> = {}): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  for await (const batch of readLog(path, { ended: () => true, ...o })) found.push(...batch);
  return found;
}

const textOf = (entries: readonly LogEntry[], stream?: string): string =>
  Buffer.concat(
    entries.filter((one) => stream === undefined || one.stream === stream).map((one) => one.bytes),
  ).toString('latin1');

test('whatever bytes come in whatever pieces, each stream is read as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom('stdout' as const, 'stderr' as const),
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(`${text}\n`)),
            fc.integer({ min: 16_000, max: 40_000 }).map((length) => Buffer.from('ä'.repeat(length))),
          ),
        ),
        { maxLength: 12 },
      ),
      fc.integer({ min: 1, max: 300 }),
      async (writes, maxBytes) => {
        using at = await folder();
        {
          using log = new LogWriter(at.path, { clock, maxBytes, maxFiles: 1000 });
          for (const [stream, bytes] of writes) log.write(stream, bytes);
        }
        const entries = await all(at.path);
        for (const stream of ['stdout', 'stderr'] as const)
          assert.equal(
            textOf(entries, stream),
            Buffer.concat(writes.filter(([name]) => name === stream).map(([, bytes]) => bytes)).toString('latin1'),
          );
        const count = entries.length;
        for (const tail of [0, 1, 3, count, count + 5])
          assert.deepEqual(await all(at.path, { tail }), tail === 0 ? [] : entries.slice(-tail));
      },
    ),
    { numRuns: 60 },
  );
});

test('files are bounded in size and number, the oldest lines go', async () => {
  using at = await folder();
  using log = new LogWriter(at.path, { clock, maxBytes: 1000, maxFiles: 3 });
  for (let i = 0; i < 200; i++) log.write('stdout', Buffer.from(`line ${i}\n`));
  assert.equal(logNumbers(at.path).length, 3);
  const lines = textOf(await all(at.path))
    .trim()
    .split('\n');
  assert.equal(lines.at(-1), 'line 199');
  assert.deepEqual(
    lines,
    Array.from({ length: lines.length }, (_, i) => `line ${200 - lines.length + i}`),
  );
});

test('times bound what is read', async () => {
  using at = await folder();
  using log = new LogWriter(at.path, limits);
  for (const time of [1000, 2000, 3000]) {
    clock.at = time;
    log.write('stdout', Buffer.from(`${time}\n`));
  }
  assert.equal(textOf(await all(at.path, { since: 2000 })), '2000\n3000\n');
  assert.equal(textOf(await all(at.path, { until: 2000 })), '1000\n2000\n');
  assert.equal((await all(at.path))[0]?.timeText, '1970-01-01T00:00:01.000Z');
});

test('who follows gets all until the end, over files that come and go', async () => {
  using at = await folder();
  const log = new LogWriter(at.path, { clock, maxBytes: 300, maxFiles: 4 });
  let ended = false;
  const reading = all(at.path, { follow: true, ended: () => ended });
  for (let i = 0; i < 30; i++) {
    log.write('stderr', Buffer.from(`${i}\n`));
    if (i % 13 === 0) await new Promise((resolve) => setTimeout(resolve, 130));
  }
  log.write('stderr', Buffer.from('no end'));
  log[Symbol.dispose]();
  ended = true;
  assert.equal(textOf(await reading), `${Array.from({ length: 30 }, (_, i) => `${i}\n`).join('')}no end`);
});

test('a new writer goes on where the last one stopped', async () => {
  using at = await folder();
  for (const text of ['a\n', 'b\n']) {
    using log = new LogWriter(at.path, limits);
    log.write('stdout', Buffer.from(text));
  }
  assert.equal(textOf(await all(at.path)), 'a\nb\n');
});
