import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchSteps, type Matchable } from './match-steps.ts';

/** `stage: TEXT` or `TEXT`; a step's vertex is `v` and its text unless `=vertex` follows. */
function steps(...lines: readonly string[]): Matchable[] {
  return lines.map((line) => {
    const [, group, text = '', vertex] = /^(?:(\w+): )?(.*?)(?: =(\w+))?$/.exec(line) ?? [];
    return { vertex: vertex ?? `v ${text}`, op: text.startsWith('RUN') ? 'exec' : 'file', text, group };
  });
}

function matched(now: readonly Matchable[], before: readonly Matchable[]): unknown {
  const found = matchSteps(now, before);
  return now.map(({ text }, at) => [text, before[found.get(at) ?? -1]?.text]);
}

for (const [what, now, before, expected] of [
  ['the same vertex, wherever it stands', ['RUN a =x', 'RUN b =y'], ['RUN b2 =y', 'RUN a2 =x'], ['RUN a2', 'RUN b2']],
  ['the same text in order', ['RUN a =1', 'RUN b =2'], ['RUN a =3', 'RUN b =4'], ['RUN a', 'RUN b']],
  ['one inserted', ['RUN a =1', 'RUN new =2', 'RUN b =3'], ['RUN a =4', 'RUN b =5'], ['RUN a', undefined, 'RUN b']],
  ['one taken away', ['RUN a =1', 'RUN c =3'], ['RUN a =4', 'RUN b =5', 'RUN c =6'], ['RUN a', 'RUN c']],
  [
    'one rewritten',
    ['RUN a =1', 'RUN b2 =2', 'COPY c =3'],
    ['RUN a =4', 'RUN b =5', 'COPY c =6'],
    ['RUN a', 'RUN b', 'COPY c'],
  ],
  [
    'another kind of instruction is a new step',
    ['RUN a =1', 'COPY b =2'],
    ['RUN a =3', 'RUN b =4'],
    ['RUN a', undefined],
  ],
  ['twice the same text', ['RUN a =1', 'RUN a =2'], ['RUN a =3', 'RUN a =4', 'RUN a =5'], ['RUN a', 'RUN a']],
  ['a stage that has another name now', ['new: RUN a =1'], ['old: RUN a =2'], ['RUN a']],
  ['stage by stage', ['x: RUN a =1', 'y: RUN b =2'], ['y: RUN a2 =3', 'x: RUN b2 =4'], ['RUN b2', 'RUN a2']],
] as const)
  test(`which step of an earlier build each is: ${what}`, () => {
    assert.deepEqual(
      matched(steps(...now), steps(...before)),
      steps(...now).map(({ text }, at) => [text, expected[at]]),
    );
  });
