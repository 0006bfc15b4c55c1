import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, Cause } from '../../../engine/index.ts';
import { digestOf } from '../../../blob/index.ts';
import { styleFor } from '../print/style.ts';
import { frame } from './frame.ts';
import { missText } from './miss-text.ts';
import { ProgressModel } from './model.ts';
import { plainRenderer } from './plain.ts';

const [first, second] = [digestOf('first'), digestOf('second')];
const path = { path: 'src/app.js', change: 'changed' } as const;
const files = (changed: number): Cause => ({ kind: 'files', changed, added: 0, removed: 0, paths: [path] });

test('the root cause in a few words, or none', () => {
  const told = (...causes: Cause[]): string | undefined => missText(causes, (id) => (id === first ? 3 : undefined));
  const cases: readonly (readonly [string | undefined, Cause])[] = [
    ['src/app.js changed', files(1)],
    ['src/app.js changed, and 19999 more', files(20_000)],
    ['what it reads changed', { kind: 'content' }],
    ['ARG VERSION changed', { kind: 'variable', from: 'ARG', name: 'VERSION' }],
    ['its network changed', { kind: 'part', name: 'network' }],
    ['the instruction changed', { kind: 'instruction', before: 'a', after: 'b' }],
    ['a new step', { kind: 'new' }],
    ['its entry was evicted', { kind: 'evicted' }],
    ['its result is gone', { kind: 'evicted', lost: true }],
    ['because of #3', { kind: 'follows', step: first, name: 'first' }],
    [undefined, { kind: 'follows', step: second, name: 'not heard of' }],
    [undefined, { kind: 'first' }],
    [undefined, { kind: 'ignored' }],
    [undefined, { kind: 'unknown' }],
  ];
  for (const [expected, cause] of cases) assert.equal(told(cause, { kind: 'new' }), expected);
  assert.equal(
    missText(undefined, () => 1),
    undefined,
  );
});

const EVENTS: readonly BuildEvent[] = [
  { kind: 'vertex', id: first, name: '[1/2] COPY . .', inputs: [] },
  { kind: 'vertex', id: second, name: '[2/2] RUN make', inputs: [first] },
  { kind: 'started', id: first, at: 1000, miss: [files(1)] },
  { kind: 'completed', id: first, at: 1100 },
  { kind: 'started', id: second, at: 1100, miss: [{ kind: 'follows', step: first, name: '[1/2] COPY . .' }] },
  { kind: 'completed', id: second, at: 2100 },
];

test('plain progress has it below the name; a picture beside it, where no number is needed', () => {
  let text = '';
  const screen = {
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write: (more: string) => void (text += more),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  using renderer = plainRenderer(screen, { clock: { now: () => 2100 }, style: styleFor(false) });
  const model = new ProgressModel();
  for (const event of EVENTS) {
    renderer.event(event);
    model.apply(event);
  }
  assert.equal(
    text,
    '#1 [1/2] COPY . .\n#1 miss: src/app.js changed\n#1 DONE 0.1s\n\n#2 [2/2] RUN make\n#2 miss: because of #1\n#2 DONE 1.0s\n',
  );
  assert.deepEqual(frame(model, { now: 2100, columns: 60, style: styleFor(false), title: 'Building' }), [
    '[+] Building 1.1s (2/2)',
    ' => [1/2] COPY . . (src/app.js changed)                 0.1s',
    ' => [2/2] RUN make                                      1.0s',
  ]);
});
