import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent } from '../../../engine/index.ts';
import { JoinedEvents } from './joined-events.ts';

const STEP = `sha256:${'a'.repeat(64)}`;

function joined(told: readonly (readonly [target: string, event: BuildEvent])[]): readonly BuildEvent[] {
  const found: BuildEvent[] = [];
  const events = new JoinedEvents((event) => found.push(event));
  for (const [target, event] of told) events.tell(target, event);
  return found;
}

const vertex = (id: string, name: string): BuildEvent => ({ kind: 'vertex', id, name, inputs: [] });
const started = (id = STEP): BuildEvent => ({ kind: 'started', id, at: 1 });
const completed = (o: { error?: string; cancelled?: boolean } = {}, id = STEP): BuildEvent => ({
  kind: 'completed',
  id,
  at: 2,
  ...o,
});
const log = (text: string): BuildEvent => ({
  kind: 'log',
  id: STEP,
  at: 1,
  stream: 'stdout',
  chunk: Buffer.from(text),
});

test('a step of two targets is told of once, whichever of them runs it', () => {
  const waits = { kind: 'note', id: STEP, at: 1, text: 'the same step is running already, waiting for it' } as const;
  const events = joined([
    ['a', vertex(STEP, '[build 1/2] RUN x')],
    ['b', vertex(STEP, '[build 1/2] RUN x')],
    ['a', started()],
    ['a', waits],
    ['b', started()],
    ['b', log('one')],
    ['b', completed()],
    ['a', completed()],
    ['b', log('late')],
  ]);
  assert.deepEqual(
    events.map((event) => (event.kind === 'vertex' ? event.name : event.kind)),
    ['[a build 1/2] RUN x', 'started', 'log', 'completed'],
  );
});

test('a step that one target gave up goes on for the other', () => {
  const events = joined([
    ['a', started()],
    ['a', completed({ error: 'cancelled', cancelled: true })],
    ['b', completed({ error: 'cancelled', cancelled: true })],
    ['b', started()],
    ['b', completed()],
  ]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['started', 'completed', 'started', 'completed'],
  );
});

test('what is no step of a graph is of each target; warnings and the ground are told once, results later', () => {
  const warning: BuildEvent = { kind: 'warning', at: 1, warning: { code: 'X', message: 'x' } };
  const ground: BuildEvent = { kind: 'ground', at: 1, ground: { snapshotter: 'overlay', executor: 'crun', lacks: [] } };
  const result: BuildEvent = { kind: 'result', at: 1, result: { images: [], metadata: {} } };
  const each = [
    vertex('export', 'exporting to image'),
    started('export'),
    completed({}, 'export'),
    warning,
    ground,
    result,
  ];
  const events = joined([...each.map((event) => ['a', event] as const), ...each.map((event) => ['b', event] as const)]);
  assert.deepEqual(
    events.map((event) => (event.kind === 'vertex' ? event.name : 'id' in event ? event.id : event.kind)),
    [
      '[a] exporting to image',
      'a export',
      'a export',
      'warning',
      'ground',
      '[b] exporting to image',
      'b export',
      'b export',
    ],
  );
});
