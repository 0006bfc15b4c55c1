import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import type { DetectRun, GroupEntry, ModuleKind, Target } from '../model/types.ts';
import { detectGroup, type DetectInput, type DetectModule } from './detect.ts';
import type { PhaseLine } from './log.ts';

const entry = (id: string, optional = false, kind: ModuleKind = 'buildpack'): GroupEntry => ({
  kind,
  id,
  version: '1.0.0',
  optional,
  execEnv: [],
});

function module(
  id: string,
  o: { kind?: ModuleKind; targets?: readonly Target[]; execEnv?: readonly string[] } = {},
): DetectModule {
  return {
    descriptor: {
      kind: o.kind ?? 'buildpack',
      id,
      version: '1.0.0',
      api: '0.12',
      homepage: `https://example.com/${id}`,
      keywords: [],
      licenses: [],
      clearEnv: false,
      sbomFormats: [],
      execEnv: o.execEnv ?? [],
      order: [],
      targets: o.targets ?? [],
      stacks: [],
      metadata: {},
    },
    programs: ['build', 'detect'],
  };
}

const says = (code: number, output = '', plan?: string): DetectRun => ({
  code,
  output: new TextEncoder().encode(output),
  plan,
});

function input(runs: Readonly<Record<string, DetectRun>>, over: Partial<DetectInput> = {}): DetectInput {
  return {
    order: [Object.keys(runs).map((id) => entry(id))],
    extensions: [],
    platformApi: '0.15',
    execEnv: 'production',
    target: { os: 'linux', arch: 'amd64', variant: '' },
    find: async ({ id, kind }) => module(id, { kind }),
    run: async ({ descriptor }) => runs[descriptor.id]!,
    ...over,
  };
}

async function linesOf(given: DetectInput): Promise<PhaseLine[]> {
  const lines: PhaseLine[] = [];
  await detectGroup({ ...given, log: (line) => lines.push(line) }).catch(() => undefined);
  return lines;
}

const shown = (lines: readonly PhaseLine[], ...levels: readonly PhaseLine['level'][]): readonly string[] =>
  lines.filter(({ level }) => levels.includes(level)).map(({ text }) => text);

test('elements have what group.toml says of them', async () => {
  const { group } = await detectGroup(input({ a: says(0) }));
  assert.deepEqual(group, [
    { kind: 'buildpack', id: 'a', version: '1.0.0', api: '0.12', homepage: 'https://example.com/a' },
  ]);
});

test('a group that passes says who takes part; what each printed only in debug', async () => {
  const lines = await linesOf(
    input(
      { long: says(0, 'out of long\n'), b: says(100, 'out of b\n') },
      {
        order: [[entry('long'), entry('b', true), entry('cc')]],
        run: async ({ descriptor: { id } }) => (id === 'b' ? says(100, 'out of b\n') : says(0)),
      },
    ),
  );
  assert.deepEqual(shown(lines, 'info', 'warn', 'error'), [
    '2 of 3 buildpacks participating',
    'long 1.0.0',
    'cc   1.0.0',
  ]);
  assert.deepEqual(shown(lines, 'debug'), [
    '======== Output: b@1.0.0 ========',
    'out of b\n',
    '======== Results ========',
    'pass: long@1.0.0',
    'skip: b@1.0.0',
    'pass: cc@1.0.0',
    'Resolving plan... (try #1)',
  ]);
});

test('where no group passes all of it is shown, and the reason of each', async () => {
  const plan = '[[requires]]\nname = "x"\n[[or]]\n[[or.provides]]\nname = "y"\n';
  const given = input({ a: says(0, 'hello\n', plan), b: says(0) });
  assert.deepEqual(await linesOf(given), [
    ...[
      '======== Output: a@1.0.0 ========',
      'hello\n',
      '======== Results ========',
      'pass: a@1.0.0',
      'pass: b@1.0.0',
      'Resolving plan... (try #1)',
      'fail: a@1.0.0 requires x',
      'Resolving plan... (try #2)',
      'fail: a@1.0.0 provides unused y',
    ].map((text) => ({ level: 'info', text })),
    { level: 'error', text: 'No buildpack groups passed detection.' },
    { level: 'error', text: 'Please check that you are running against the correct path.' },
  ]);
  await assert.rejects(
    detectGroup(given),
    (error) => hasCode(error, 'CNB_NOT_DETECTED') && error.message === 'detect: no buildpacks participating',
  );
});

test('errors are shown with their code, and what a plan has wrong', async () => {
  const given = input({
    a: says(7, 'broken\n'),
    b: says(0, '', '[[requires]]\nname = "x"\nversion = "1"\n'),
    c: says(-1),
  });
  const lines = shown(await linesOf(given), 'info', 'error');
  assert.ok(lines.includes('err:  a@1.0.0 (7)'));
  assert.ok(lines.includes('err:  b@1.0.0'));
  assert.ok(lines.includes('err:  c@1.0.0'));
  assert.ok(lines.includes('======== Error: b@1.0.0 ========'));
  assert.ok(
    lines.some((line) => line.includes('"requires[0].version" is not supported')),
    lines.join('\n'),
  );
  assert.equal(lines.at(-1), 'No buildpack groups passed detection.');
  await assert.rejects(
    detectGroup(given),
    (error) => hasCode(error, 'CNB_DETECT_FAILED') && error.message === 'detect: buildpack(s) failed with err',
  );
});

test('an optional one that is taken out of the plan is named with the reason', async () => {
  const lines = await linesOf(
    input({ a: says(0), b: says(0, '', '[[requires]]\nname = "x"\n') }, { order: [[entry('a'), entry('b', true)]] }),
  );
  assert.ok(shown(lines, 'debug').includes('skip: b@1.0.0 requires x'));
  assert.deepEqual(shown(lines, 'info'), ['1 of 2 buildpacks participating', 'a 1.0.0']);
});

test('a mismatch of target and of execution environment is explained', async () => {
  const targets = [{ os: 'linux', arch: 'arm64', variant: '', distros: [{ name: 'debian', version: '12' }] }];
  const given = input(
    { a: says(0), b: says(0) },
    { find: async ({ id }) => (id === 'a' ? module(id, { targets }) : module(id, { execEnv: ['test', 'ci'] })) },
  );
  const lines = shown(await linesOf(given), 'info');
  assert.ok(
    lines.includes(
      'unable to satisfy target os/arch constraints; run image: linux/amd64, buildpack: linux/arm64 (debian@12)',
    ),
    lines.join('\n'),
  );
  assert.ok(
    lines.includes(
      'Skipping b@1.0.0 due to execution environment mismatch; current: production, buildpack supports: [test ci]',
    ),
    lines.join('\n'),
  );
});

test('system buildpacks are counted in debug', async () => {
  const lines = await linesOf(
    input(
      { a: says(0), s: says(0), t: says(0) },
      { order: [[entry('a')]], system: { pre: [entry('s')], post: [entry('t')] } },
    ),
  );
  assert.deepEqual(shown(lines, 'debug').slice(0, 2), [
    'Prepending 1 system buildpack(s) to group',
    'Appending 1 system buildpack(s) to group',
  ]);
});

test('the modules of a group run side by side, and once for all groups', async () => {
  const started: string[] = [];
  let open: (() => void) | undefined;
  const both = new Promise<void>((resolve) => (open = resolve));
  const given = input(
    {},
    {
      order: [
        [entry('a'), entry('b'), entry('c')],
        [entry('a'), entry('b')],
      ],
      run: async ({ descriptor: { id } }) => {
        started.push(id);
        if (started.length === 3) open?.();
        await both;
        return says(id === 'c' ? 100 : 0);
      },
    },
  );
  const { group } = await detectGroup(given);
  assert.deepEqual(
    group.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.deepEqual(started.sort(), ['a', 'b', 'c']);
});

test('where running fails the detection ends with that, and the others are stopped', async () => {
  const stopped: string[] = [];
  const given = input(
    {},
    {
      order: [[entry('a'), entry('b')], [entry('c')]],
      run: async ({ descriptor: { id } }, w) => {
        if (id === 'b') throw new Error('no sandbox');
        await new Promise<void>((resolve) => w?.signal?.addEventListener('abort', () => resolve(), { once: true }));
        stopped.push(id);
        return says(0);
      },
    },
  );
  await assert.rejects(detectGroup(given), /no sandbox/);
  assert.deepEqual(stopped, ['a']);
});

test('a caller’s signal reaches what runs', async () => {
  const stop = new AbortController();
  const given = input(
    { a: says(0) },
    {
      run: async (_, w) => {
        stop.abort(new Error('enough'));
        w?.signal?.throwIfAborted();
        return says(0);
      },
    },
  );
  await assert.rejects(detectGroup(given, { signal: stop.signal }), /enough/);
});
