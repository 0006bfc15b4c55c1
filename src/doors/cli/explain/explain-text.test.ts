import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainedBuild, ExplainedStep } from '../../../engine/index.ts';
import { styleFor } from '../print/style.ts';
import { textWidth } from '../progress/text.ts';
import { explainText, type ExplainOptions } from './explain-text.ts';
import { pickBuild } from './pick-build.ts';
import { pickSteps } from './pick-steps.ts';

const one = `sha256:${'1'.repeat(64)}` as const;
const two = `sha256:${'2'.repeat(64)}` as const;

function step(number: number, more: Partial<ExplainedStep>): ExplainedStep {
  const text = more.text ?? 'RUN make';
  return {
    number,
    name: `[build ${number}/7] ${text}`,
    text,
    stage: 'build',
    outcome: 'ran',
    took: 120,
    causes: [],
    ...more,
  };
}

const paths = Array.from({ length: 20_000 }, (_, i) => ({
  path: `${i < 15_000 ? 'src' : 'lib'}/deep/folder/with/a/long/name/file${i}.js`,
  change: 'changed' as const,
  before: { digest: one, about: 'file 0644' },
  after: { digest: two, about: 'file 0644' },
}));

const STEPS: readonly ExplainedStep[] = [
  step(1, {
    text: 'FROM base:1 AS build',
    outcome: 'source',
    took: undefined,
    causes: [
      {
        kind: 'part',
        name: 'image',
        before: { digest: one, value: `host.example/base:1@${one}` },
        after: { digest: two, value: `host.example/base:1@${two}` },
      },
    ],
  }),
  step(2, { text: 'WORKDIR /src', outcome: 'hit', took: undefined, from: 'host.example/cache:main' }),
  step(3, { text: 'COPY . .', causes: [{ kind: 'files', changed: 20_000, added: 0, removed: 0, paths }] }),
  step(4, {
    causes: [
      {
        kind: 'variable',
        from: 'ARG',
        name: 'VERSION',
        before: { digest: one, value: '1' },
        after: { digest: two, value: '2' },
      },
      { kind: 'variable', from: 'ENV', name: 'TOKEN', before: { digest: one }, after: { digest: two } },
      { kind: 'follows', step: one, name: '[build 3/7] COPY . .', number: 3 },
    ],
  }),
  step(5, {
    text: `RUN ${'very-long-word '.repeat(8)}`.trim(),
    outcome: 'failed',
    causes: [{ kind: 'instruction', before: 'RUN make', after: `RUN ${'very-long-word '.repeat(8)}`.trim() }],
  }),
  step(6, { outcome: 'not reached', took: undefined, causes: [{ kind: 'unfinished', outcome: 'not reached' }] }),
  step(7, {
    text: 'COPY --from=x a b',
    causes: [
      {
        kind: 'files',
        changed: 1,
        added: 1,
        removed: 1,
        paths: [
          {
            path: 'a',
            change: 'changed',
            before: { digest: one, about: 'file 0644' },
            after: { digest: one, about: 'file 0755' },
          },
          { path: 'b', change: 'added', after: { digest: two, about: 'file 0644' } },
          { path: 'c', change: 'removed', before: { about: 'symlink -> d' } },
        ],
      },
    ],
  }),
];

const BUILD: ExplainedBuild = {
  id: 2,
  project: { context: '/home/me/app', dockerfile: '/home/me/app/deploy/Dockerfile', target: 'build' },
  at: 100_000,
  took: 4200,
  outcome: 'failed',
  previous: 1,
  steps: STEPS,
};

function text(more: Partial<ExplainOptions> = {}): string {
  const before = { ...BUILD, id: 1, at: 40_000 };
  const style = styleFor(false);
  return explainText(BUILD, {
    before,
    steps: STEPS,
    whole: false,
    style,
    columns: 80,
    now: 220_000,
    cwd: '/home/me',
    ...more,
  });
}

test('all steps, in 80 columns', () => {
  assert.equal(
    text(),
    `app (deploy/Dockerfile, target build): failed 2 minutes ago after 4.2s, 4 of 6 steps ran
compared with the build before it (3 minutes ago)

1 changed          [build 1/7] FROM base:1 AS build
                   the base moved: host.example/base:1
                     111111111111 -> 222222222222
2 hit              [build 2/7] WORKDIR /src
                   from host.example/cache:main
3 miss       0.1s  [build 3/7] COPY . .
                   20,000 paths changed
                   src/deep/folder/with/a/long/name/file0.js changed:
                     111111111111 -> 222222222222
                   src/deep/folder/with/a/long/name/file1.js changed:
                     111111111111 -> 222222222222
                   src/deep/folder/with/a/long/name/file2.js changed:
                     111111111111 -> 222222222222
                   and 19,997 more: 14,997 in src/, 5,000 in lib/
4 miss       0.1s  [build 4/7] RUN make
                   ARG VERSION changed: "1" -> "2"
                   ENV TOKEN changed (not shown)
                   because step 3 changed
5 failed     0.1s  [build 5/7] RUN very-long-word very-long-word very-long-word…
                   the instruction changed
                   - RUN make
                   + RUN very-long-word very-long-word very-long-word
                     very-long-word very-long-word very-long-word very-long-word
                     very-long-word
6 not run          [build 6/7] RUN make
                   no entry: the build before did not come this far
7 miss       0.1s  [build 7/7] COPY --from=x a b
                   a changed: mode 0644 -> 0755
                   b added (222222222222)
                   c removed

strake explain 3 tells more; --format json tells all
`,
  );
});

test('a step that was asked for is told of whole, up to 200 paths; colors are paint alone', () => {
  const whole = text({ steps: pickSteps(STEPS, '3'), whole: true });
  const lines = whole.split('\n');
  assert.equal(lines.filter((line) => line.includes(' changed:')).length, 200);
  assert.match(whole, /and 19,800 more: 14,800 in src\/, 5,000 in lib\/\n$/);
  const painted = text({ style: styleFor(true) });
  assert.notEqual(painted, text());
  assert.equal(painted.replaceAll(/\x1b\[\d+m/g, ''), text());
  for (const line of text({ columns: 60 }).split('\n').slice(2)) assert.ok(textWidth(line) <= 62, line);
});

test('steps by number, stage and place; a word that is none of them', () => {
  const numbers = (word: string): number[] => pickSteps(STEPS, word).map(({ number }) => number);
  assert.deepEqual([numbers('4'), numbers('BUILD').length, numbers('build 2/7')], [[4], 7, [2]]);
  assert.throws(() => numbers('x'), { code: 'USAGE', message: 'explain step "x": the build has no such step' });
});

test('the build that is meant', () => {
  const build = (id: number, project: Record<string, string>) => ({ ...BUILD, id, project });
  const builds = [
    build(4, { context: '/other', dockerfile: '/other/Dockerfile' }),
    build(3, { context: '/home/me/app', dockerfile: '/home/me/app/Dockerfile', target: 'test' }),
    build(2, { context: '/home/me/app', dockerfile: '/home/me/app/deploy/Dockerfile' }),
    build(1, { context: 'https://git.example/a.git', dockerfile: 'Dockerfile', platform: 'linux/arm64' }),
  ];
  const pick = (wanted: Parameters<typeof pickBuild>[1], cwd = '/home/me/app'): number =>
    pickBuild(builds, wanted, cwd).id;
  assert.equal(pick({}), 3);
  assert.equal(pick({}, '/elsewhere'), 4);
  assert.equal(pick({ file: 'deploy/Dockerfile' }), 2);
  assert.equal(pick({ target: 'test' }, '/elsewhere'), 3);
  assert.equal(pick({ context: 'app' }, '/home/me'), 3);
  assert.equal(pick({ context: 'https://git.example/a.git' }), 1);
  assert.equal(pick({ platform: 'linux/arm64' }), 1);
  assert.throws(() => pick({ context: '/none' }), { code: 'BUILD_UNKNOWN' });
});
