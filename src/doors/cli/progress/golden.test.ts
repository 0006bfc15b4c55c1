import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { BuildEvent } from '../../../engine/index.ts';
import { styleFor } from '../print/style.ts';
import { createRenderer } from './create-renderer.ts';
import { frame } from './frame.ts';
import { ProgressModel } from './model.ts';
import { textWidth } from './text.ts';

const testdata = join(import.meta.dirname, 'testdata');
const plain = styleFor(false);

/** The events of a recorded build, and what it failed with. */
function recorded(name: string): { events: BuildEvent[]; error?: Error | undefined } {
  const events: BuildEvent[] = [];
  let error: Error | undefined;
  for (const line of readFileSync(join(testdata, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')) {
    const event = JSON.parse(line) as BuildEvent | { kind: 'failed'; error: { message: string } };
    if (event.kind === 'failed') error = new Error(event.error.message);
    else if (event.kind === 'log')
      events.push({ ...event, chunk: Buffer.from(event.chunk as unknown as string, 'base64') });
    else events.push(event);
  }
  return { events, error };
}

function golden(file: string, actual: string): void {
  const path = join(testdata, file);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, actual);
  assert.equal(actual, readFileSync(path, 'utf8'), file);
}

/** What a renderer writes of a recording, with a clock that shows the time of the event. */
function rendered(name: string, mode: 'plain' | 'rawjson' | 'json' | 'quiet'): string {
  const { events, error } = recorded(name);
  let now = 0;
  let text = '';
  const screen = {
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write: (more: string) => void (text += more),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  using renderer = createRenderer(mode, screen, {
    clock: { now: () => now },
    style: plain,
    env: {},
    title: 'Building',
  });
  for (const event of events) {
    if ('at' in event) now = event.at;
    renderer.event(event);
  }
  renderer.finish(error);
  return text;
}

function pictureAfter(
  name: string,
  count: number,
  o: { columns: number; rows?: number; ending?: 'FINISHED' | 'ERROR' },
): string[] {
  const { events } = recorded(name);
  const model = new ProgressModel();
  let now = 0;
  for (const event of events.slice(0, count)) {
    if ('at' in event) now = event.at;
    model.apply(event);
  }
  return frame(model, { ...o, now, style: plain, title: 'Building' });
}

suite('renderers of recorded builds', () => {
  for (const name of ['cached', 'parallel', 'failing']) {
    test(`${name}: plain`, () => golden(`${name}.plain.txt`, rendered(name, 'plain')));
    test(`${name}: rawjson`, () => golden(`${name}.rawjson.txt`, rendered(name, 'rawjson')));
    test(`${name}: terminal, at the end`, () => {
      const ending = name === 'failing' ? 'ERROR' : 'FINISHED';
      golden(`${name}.tty.txt`, `${pictureAfter(name, Infinity, { columns: 80, ending }).join('\n')}\n`);
    });
    test(`${name}: json gives the recording back`, () => {
      const lines = readFileSync(join(testdata, `${name}.jsonl`), 'utf8')
        .trim()
        .split('\n');
      const told = rendered(name, 'json').trim().split('\n');
      const withoutFailure = (line: string): boolean => !line.startsWith('{"kind":"failed"');
      assert.deepEqual(told.filter(withoutFailure), lines.filter(withoutFailure));
      assert.equal(told.length, lines.length);
    });
    test(`${name}: no picture is wider or taller than the terminal`, () => {
      const { events } = recorded(name);
      for (const [columns, rows] of [
        [80, 24],
        [40, 8],
        [20, 4],
        [10, 2],
        [200, 50],
      ] as const)
        for (let count = 1; count <= events.length; count++) {
          const lines = pictureAfter(name, count, { columns, rows });
          assert.ok(lines.length <= rows, `${lines.length} lines on ${rows} rows after ${count} events`);
          for (const line of lines)
            assert.ok(textWidth(line) <= columns, `${textWidth(line)} cells in ${columns}: ${line}`);
        }
    });
  }

  test('on the way, windowed', () => {
    golden('parallel.tty-half.txt', `${pictureAfter('parallel', 30, { columns: 80, rows: 24 }).join('\n')}\n`);
    golden('parallel.tty-narrow.txt', `${pictureAfter('parallel', 30, { columns: 40, rows: 8 }).join('\n')}\n`);
  });

  test('quiet says what a failed step printed, and nothing else', () => {
    assert.equal(rendered('cached', 'quiet'), '');
    const text = rendered('failing', 'quiet');
    assert.match(text, /^------\n > \[two 2\/2\] RUN .*:\n/);
    assert.match(text, /red 1 {3}x\n/);
    assert.match(text, /no end\n------\n$/);
  });
});
