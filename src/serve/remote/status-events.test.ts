import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusResponseSchema } from '../../wire/gen/buildkit/control_pb.ts';
import { create, timestampFromMs, type MessageInitShape } from '../../wire/grpc/index.ts';
import { StatusEvents } from './status-events.ts';

function story(...responses: MessageInitShape<typeof StatusResponseSchema>[]): string[] {
  const events = new StatusEvents(() => undefined, { now: () => 5 });
  return responses
    .flatMap((response) => [...events.take(create(StatusResponseSchema, response))])
    .map((event) => {
      const at = 'at' in event ? ` ${event.at}` : '';
      const more = event.kind === 'completed' ? ` ${event.error ?? 'ok'}${event.cancelled ? ' cancelled' : ''}` : '';
      return `${event.kind}${at}${more}`;
    });
}

const at = timestampFromMs;

test('a step is told of once; of several runs in one message the last counts', () => {
  assert.deepEqual(
    story(
      { vertexes: [{ digest: 'a', name: 'A' }] },
      {
        vertexes: [
          { digest: 'a', name: 'A', started: at(1), completed: at(2) },
          { digest: 'a', name: 'A', started: at(3) },
        ],
      },
      { vertexes: [{ digest: 'a', name: 'A', started: at(3), completed: at(4) }] },
      { vertexes: [{ digest: 'a', name: 'A', started: at(3), completed: at(4) }] },
    ),
    ['vertex', 'started 3', 'completed 4 ok'],
  );
});

test('what was found, what failed, what was given up', () => {
  assert.deepEqual(
    story(
      { vertexes: [{ digest: 'a', cached: true, started: at(1), completed: at(1) }] },
      { vertexes: [{ digest: 'b', started: at(2), completed: at(3), error: 'exit code: 1' }] },
      { vertexes: [{ digest: 'c', started: at(2), completed: at(3), error: 'process "x": context canceled' }] },
    ),
    [
      'vertex',
      'cached 1',
      'vertex',
      'started 2',
      'completed 3 exit code: 1',
      'vertex',
      'started 2',
      'completed 3 process "x": context canceled cancelled',
    ],
  );
});

test('bytes under way are progress, parts of work notes, warnings are told once', () => {
  assert.deepEqual(
    story({
      vertexes: [{ digest: 'a', started: at(1) }],
      statuses: [
        { vertex: 'a', ID: 'layer', current: 3n, total: 9n, timestamp: at(2) },
        { vertex: 'a', ID: 'naming', timestamp: at(2) },
        { vertex: 'a', ID: 'naming', timestamp: at(3), completed: at(3) },
      ],
      logs: [{ vertex: 'a', stream: 2n, msg: Buffer.from('x'), timestamp: at(3) }],
      warnings: [{ short: Buffer.from('w') }, { short: Buffer.from('w') }],
    }),
    ['vertex', 'started 1', 'progress 2', 'note 3', 'log 3', 'warning 5'],
  );
});
