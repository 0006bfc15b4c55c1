import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, type Digest } from '../../blob/index.ts';
import type { KeyPart } from '../types.ts';
import { Comparison, type CurrentStep } from './comparison.ts';
import type { MemberChanges } from './member-list.ts';

/** A step in short: what is not said is the same in both builds. */
interface Short {
  readonly text: string;
  readonly inputs?: readonly number[];
  /** What the op alone is made of. */
  readonly op?: string;
  /** Its result, where another one than its key says. */
  readonly id?: string;
  readonly reads?: readonly (string | null)[];
  readonly parts?: readonly KeyPart[];
  readonly more?: Partial<CurrentStep>;
}

function steps(...shorts: readonly Short[]): readonly CurrentStep[] {
  const done: CurrentStep[] = [];
  for (const { text, inputs = [], op = text, id, reads = [], parts = [], more = {} } of shorts) {
    const ids = inputs.map((at, i) => reads[i] ?? done[at]?.id);
    const key = digestOf(op);
    const full = digestOf(`${key} ${ids.join(' ')}`);
    done.push({
      vertex: digestOf(`${op} ${inputs.map((at) => done[at]?.vertex).join(' ')}`),
      op: 'exec',
      name: `[${done.length + 1}] ${text}`,
      text,
      inputs,
      key,
      keys: [full],
      id: id === undefined ? full : digestOf(id),
      contents: reads.map((read) => (read === null ? null : digestOf(read))),
      parts,
      outcome: 'ran',
      causes: [],
      ignoresCache: false,
      lost: false,
      unrecorded: false,
      ...more,
    });
  }
  return done;
}

const changes: MemberChanges = { changed: 1, added: 0, removed: 0, paths: [{ path: 'a', change: 'changed' }] };
const SAME = digestOf('the same after all');

function causes(now: readonly CurrentStep[], before: readonly CurrentStep[] | undefined): unknown {
  const changesOf = (old: Digest, content: Digest): MemberChanges | undefined =>
    content === SAME
      ? { changed: 0, added: 0, removed: 0, paths: [] }
      : old === digestOf('lost list')
        ? undefined
        : changes;
  const comparison = new Comparison({ now, before, changesOf });
  return now.map((_, at) =>
    comparison.causesOf(at).map((cause) => {
      if (cause.kind === 'follows') return `follows ${now.findIndex(({ vertex }) => vertex === cause.step)}`;
      if (cause.kind === 'variable' || cause.kind === 'part') return `${cause.kind} ${cause.name}`;
      return cause.kind;
    }),
  );
}

const context: Short = {
  text: 'context',
  op: 'local',
  more: { op: 'source', unrecorded: true, key: undefined, id: undefined, outcome: 'source' },
};
const variable = (name: string, value: string): KeyPart => ({ name, digest: digestOf(value), value, variable: 'ARG' });
const part = (name: string, value: string, derived?: true): KeyPart => ({ name, digest: digestOf(value), derived });
const base = (of: string): Short => ({
  text: 'FROM base',
  op: of,
  parts: [part('image', of)],
  more: { op: 'source', unrecorded: true, outcome: 'source' },
});
const hit = { more: { outcome: 'hit' } } as const;

for (const [what, now, before, expected] of [
  ['no build before', [{ text: 'a' }, { text: 'b', ...hit }], undefined, [['first'], []]],
  ['all found', [{ text: 'a', ...hit }], [{ text: 'a' }], [[]]],
  [
    'entries gone',
    [{ text: 'a' }, { text: 'b', inputs: [0] }],
    [{ text: 'a' }, { text: 'b', inputs: [0] }],
    [['evicted'], ['evicted']],
  ],
  ['a result gone', [{ text: 'a', more: { lost: true } }], [{ text: 'a' }], [['evicted']]],
  [
    'told to ignore',
    [
      { text: 'a', more: { ignoresCache: true } },
      { text: 'b', inputs: [0], id: 'x' },
    ],
    [{ text: 'a' }, { text: 'b', inputs: [0] }],
    [['ignored'], ['evicted']],
  ],
  [
    'what follows one told to ignore',
    [
      { text: 'a', id: 'fresh', more: { ignoresCache: true } },
      { text: 'b', inputs: [0] },
    ],
    [{ text: 'a' }, { text: 'b', inputs: [0] }],
    [['ignored'], ['follows 0']],
  ],
  ['never kept', [{ text: 'a', more: { keys: [] } }], [{ text: 'a', more: { keys: [] } }], [['always']]],
  [
    'rewritten, and the variables of it',
    [{ text: 'RUN b', parts: [variable('V', '2'), part('command', 'b', true)] }],
    [{ text: 'RUN a', parts: [variable('V', '1'), part('command', 'a', true)] }],
    [['instruction', 'variable V']],
  ],
  [
    'a variable alone',
    [{ text: 'a', op: '2', parts: [variable('V', '2'), part('command', 'b', true)] }],
    [{ text: 'a', op: '1', parts: [variable('V', '1'), part('command', 'a', true)] }],
    [['variable V']],
  ],
  [
    'nothing but what is derived',
    [{ text: 'a', op: '2', parts: [part('command', 'b', true)] }],
    [{ text: 'a', op: '1', parts: [part('command', 'a', true)] }],
    [['part command']],
  ],
  [
    'a part that came',
    [{ text: 'a', op: '2', parts: [part('network', 'none')] }],
    [{ text: 'a', op: '1' }],
    [['part network']],
  ],
  ['a key that nothing explains', [{ text: 'a', op: '2' }], [{ text: 'a', op: '1' }], [['unknown']]],
  [
    'files of the context',
    [context, { text: 'COPY', inputs: [0], reads: ['2'] }],
    [context, { text: 'COPY', inputs: [0], reads: ['1'] }],
    [[], ['files']],
  ],
  [
    'files whose list is gone',
    [context, { text: 'COPY', inputs: [0], reads: ['2'] }],
    [context, { text: 'COPY', inputs: [0], reads: ['lost list'] }],
    [[], ['content']],
  ],
  [
    'a base that moved, and all that follows',
    [base('2'), { text: 'a', inputs: [0] }, { text: 'b', inputs: [1] }],
    [base('1'), { text: 'a', inputs: [0] }, { text: 'b', inputs: [1] }],
    [['part image'], ['follows 0'], ['follows 0']],
  ],
  [
    'the nearest step that is another one by itself',
    [{ text: 'RUN a2' }, { text: 'b', inputs: [0], op: 'b2', parts: [variable('V', '2')] }, { text: 'c', inputs: [1] }],
    [{ text: 'RUN a1' }, { text: 'b', inputs: [0], op: 'b1', parts: [variable('V', '1')] }, { text: 'c', inputs: [1] }],
    [['instruction'], ['variable V', 'follows 0'], ['follows 1']],
  ],
  [
    'a copy from a stage that changed',
    [{ text: 'RUN a2' }, { text: 'base', ...hit }, { text: 'COPY', inputs: [1, 0], reads: [null, '2'] }],
    [{ text: 'RUN a1' }, { text: 'base' }, { text: 'COPY', inputs: [1, 0], reads: [null, '1'] }],
    [['instruction'], [], ['follows 0', 'files']],
  ],
  [
    'a build that failed',
    [
      { text: 'a', ...hit },
      { text: 'b', inputs: [0] },
      { text: 'c', inputs: [1] },
    ],
    [
      { text: 'a' },
      { text: 'b', inputs: [0], more: { outcome: 'failed' } },
      { text: 'c', inputs: [1], more: { outcome: 'not reached' } },
    ],
    [[], ['unfinished'], ['unfinished']],
  ],
  [
    'a step that the build before never identified',
    [{ text: 'RUN a2' }, { text: 'b', inputs: [0] }, { text: 'RUN c2', inputs: [1] }],
    [
      { text: 'RUN a1', more: { outcome: 'failed' } },
      { text: 'b', inputs: [0], more: { outcome: 'not reached', key: undefined, keys: [] } },
      { text: 'RUN c1', inputs: [1], more: { outcome: 'not reached', key: undefined, keys: [] } },
    ],
    [['instruction'], ['follows 0'], ['instruction', 'follows 0']],
  ],
] as readonly (readonly [string, readonly Short[], readonly Short[] | undefined, unknown])[])
  test(`why a step is another one: ${what}`, () => {
    assert.deepEqual(causes(steps(...now), before && steps(...before)), expected);
  });

test('a step of which more is known is asked about anew', () => {
  const now = steps({ text: 'a', ...hit });
  const comparison = new Comparison({ now, before: steps({ text: 'a' }), changesOf: () => undefined });
  assert.deepEqual(comparison.causesOf(0), []);
  Object.assign(now[0] as object, { lost: true });
  comparison.forget(0);
  assert.deepEqual(comparison.causesOf(0), [{ kind: 'evicted', lost: true }]);
});
