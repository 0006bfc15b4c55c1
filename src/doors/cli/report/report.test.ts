import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { CodedError, systemRandom } from '../../../base/index.ts';
import { digestOf } from '../../../blob/index.ts';
import type { BuildEvent, Engine } from '../../../engine/index.ts';
import { markFailure } from '../run-cli.ts';
import { BuildReport } from './build-report.ts';
import { KeptLog } from './kept-log.ts';
import { markup, scriptJson } from './markup.ts';
import { componentsOf } from './sbom-components.ts';
import { spanText } from './span-text.ts';

const [first, second, third] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [string, string, string];
const bytes = (text: string): Uint8Array => Buffer.from(text);

const EVENTS: readonly BuildEvent[] = [
  { kind: 'vertex', id: first, name: '[base 1/2] RUN echo </script><b>', inputs: [], group: 'base' },
  {
    kind: 'vertex',
    id: second,
    name: '[base 2/2] RUN make TOKEN=hunter2',
    inputs: [first],
    group: 'base',
    place: { file: 'Dockerfile', line: 4, text: 'RUN make TOKEN=hunter2' },
  },
  { kind: 'vertex', id: third, name: '[stage-1 1/1] COPY a b', inputs: [second], group: 'stage-1' },
  {
    kind: 'cached',
    id: first,
    at: 1100,
    verdict: { hit: true, by: 'recipe', record: digestOf('r'), from: 'elsewhere' },
  },
  { kind: 'completed', id: first, at: 1100 },
  { kind: 'started', id: second, at: 1200, miss: [{ kind: 'follows', step: digestOf('a'), name: 'x' }] },
  { kind: 'log', id: second, at: 1300, stream: 'stderr', chunk: bytes('making <b> & more\nhalf') },
  { kind: 'warning', at: 1300, warning: { code: 'Odd', message: 'is odd', url: 'javascript:alert(1)' } },
];

function rig(): { folder: string; report: BuildReport; clock: { time: number }; [Symbol.dispose](): void } {
  const folder = mkdtempSync(join(tmpdir(), 'strake-report-'));
  const clock = { time: 1000 };
  const io = { cwd: folder, random: systemRandom, clock: { now: () => clock.time } };
  const report = new BuildReport('out.html', { io, title: 'the <app>' });
  return { folder, report, clock, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** The data that a page carries. */
function dataIn(page: string): { outcome: string; steps: { state: string; why: string[]; logLines: number }[] } {
  const [, json = ''] = /<script type="application\/json" id="build">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(json) as ReturnType<typeof dataIn>;
}

test('a build that fails is told of: what failed where, what ran, what it printed, and no secret', () => {
  using made = rig();
  for (const event of EVENTS) made.report.event(event);
  made.report.event({ kind: 'completed', id: second, at: 2000, error: 'exit code: 2' });
  made.clock.time = 2500;
  const error = new CodedError({
    code: 'STEP_FAILED',
    kind: 'failed',
    message: 'process "make" did not complete successfully: exit code: 2',
    remedy: 'Mend it.',
    place: { file: 'Dockerfile', line: 4, text: 'RUN make TOKEN=hunter2' },
  });
  markFailure(error, { after: [{ label: 'reproduce', text: 'strake build .' }] });
  assert.equal(made.report.failed(error), undefined);
  assert.deepEqual(readdirSync(made.folder), ['out.html']);
  const page = readFileSync(join(made.folder, 'out.html'), 'utf8');
  assert.ok(page.length < 40_000, `${page.length}`);
  assert.doesNotMatch(page, /hunter2|javascript:alert[^"]*" rel|<b>|<app>/);
  assert.match(page, /<h1>\s*the &lt;app&gt;/);
  assert.match(page, /<mark>[^<]*RUN make TOKEN=…<\/mark>/);
  assert.match(page, /making &lt;b&gt; &amp; more<\/span>\n/);
  assert.match(page, /strake build \./);
  const { outcome, steps } = dataIn(page);
  assert.equal(outcome, 'failed');
  assert.deepEqual(
    steps.map(({ state, why, logLines }) => [state, why, logLines]),
    [
      ['cached', [], 0],
      ['failed', ['because step 1 changed'], 2],
      ['skipped', [], 0],
    ],
  );
  assert.match(page, /in <code>elsewhere<\/code>/);
});

test('the page refers to nothing outside of it, and its script stands alone', () => {
  using made = rig();
  for (const event of EVENTS) made.report.event(event);
  made.report.failed(new Error('x'));
  const page = readFileSync(join(made.folder, 'out.html'), 'utf8');
  assert.doesNotMatch(page, /(?:src|href)="(?!#)|@import|url\(/);
  const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text = '']) => text);
  assert.equal(scripts.length, 1);
  // Nothing of what it needs is a name of the module that it was written in.
  const tools = { hidden: true };
  const element = { value: '', dataset: {}, addEventListener: () => undefined, querySelectorAll: () => [] };
  const document = {
    getElementById: () => element,
    querySelectorAll: (selector: string) => (selector === '.tools' ? [tools] : []),
    addEventListener: () => undefined,
  };
  new Script(scripts[0] ?? '').runInNewContext({ document, location: { hash: '' }, addEventListener: () => undefined });
  assert.equal(tools.hidden, false);
});

test('what is stopped is told of as stopped; it is written once, and not after it was', () => {
  using made = rig();
  for (const event of EVENTS) made.report.event(event);
  made.report.failed(new CodedError({ code: 'INTERRUPTED', kind: 'cancelled', message: 'interrupted' }));
  const path = join(made.folder, 'out.html');
  assert.equal(dataIn(readFileSync(path, 'utf8')).outcome, 'stopped');
  rmSync(path);
  made.report.failed(new Error('later'));
  assert.deepEqual(readdirSync(made.folder), []);
});

test('layers of an image are told of with the steps that made them; variables that look secret are not shown', async () => {
  using made = rig();
  for (const event of EVENTS) made.report.event(event);
  made.report.event({ kind: 'completed', id: second, at: 2000 });
  const id = digestOf('image');
  const details: unknown = {
    names: ['app:latest'],
    id,
    platform: { os: 'linux', architecture: 'amd64' },
    size: 30,
    layers: [
      { diffId: digestOf('1'), size: 10 },
      { diffId: digestOf('2'), size: 20 },
    ],
    config: {
      history: [
        { created_by: 'ADD rootfs' },
        { created_by: 'ENV A=b', empty_layer: true },
        { created_by: 'RUN |1 X=y /bin/sh -c make TOKEN=hunter2 # buildkit' },
      ],
      config: { Env: ['A=b', 'API_KEY=hunter3'], Cmd: ['run'], Labels: { one: 'label' } },
    },
  };
  const engine = { images: { inspect: async () => details } } as unknown as Engine;
  const host = { credentials: async () => undefined } as never;
  const platform = { os: 'linux', architecture: 'amd64' };
  await made.report.built({ images: [{ platform, imageId: id, manifests: [] }], metadata: {} }, { engine, host });
  const page = readFileSync(join(made.folder, 'out.html'), 'utf8');
  assert.doesNotMatch(page, /hunter/);
  const [, json = ''] = /id="build">(.*?)<\/script>/s.exec(page) ?? [];
  const { images } = JSON.parse(json) as {
    images: [{ names: string[]; facts: { layers: { step?: number; base: boolean }[]; config: string[][] } }];
  };
  assert.deepEqual(images[0].names, ['app:latest']);
  assert.deepEqual(
    images[0].facts.layers.map(({ step, base }) => [step, base]),
    [
      [undefined, true],
      [2, false],
    ],
  );
  assert.deepEqual(images[0].facts.config, [
    ['Cmd', '["run"]'],
    ['Env A', 'b'],
    ['Env API_KEY', '(not shown)'],
  ]);
});

test('a place where no file can be is refused before anything is built', () => {
  using made = rig();
  const io = { cwd: made.folder, random: systemRandom, clock: { now: () => 0 } };
  for (const name of ['', '.', 'none/out.html'])
    assert.throws(() => new BuildReport(name, { io, title: 'x' }), { code: 'OUTPUT_INVALID' });
});

test('a log is kept from both ends', () => {
  const log = new KeptLog();
  for (let at = 0; at < 100_000; at++) log.add({ at, stream: 'stdout', text: `line ${at}` });
  const { head, left, tail } = log.read();
  assert.equal(head.length + left + tail.length, 100_000);
  assert.equal(head[0]?.text, 'line 0');
  assert.equal(tail.at(-1)?.text, 'line 99999');
  assert.equal(tail[0]?.text, `line ${head.length + left}`);
  assert.ok(left > 0 && tail.length < 50_000);
});

test('values are escaped wherever they stand', () => {
  assert.equal(
    markup`<a title="${'"<&\''}">${['<', markup`<b>`, undefined, false, 0]}</a>`.text,
    '<a title="&quot;&lt;&amp;&#39;">&lt;<b>0</a>',
  );
  const json = scriptJson({ a: '</script><!--' }).text;
  assert.doesNotMatch(json, /</);
  assert.deepEqual(JSON.parse(json), { a: '</script><!--' });
});

test('components of every format', () => {
  const from = 'bp/layer';
  const licenses = [{ license: { id: 'MIT' } }, { expression: 'A OR B' }];
  assert.deepEqual(componentsOf({ components: [{ group: 'g', name: 'n', version: '1', licenses }] }, from), [
    { name: 'g/n', version: '1', licenses: 'MIT, A OR B', from },
  ]);
  assert.deepEqual(
    componentsOf(
      { packages: [{ name: 'n', versionInfo: '2', licenseConcluded: 'NOASSERTION', licenseDeclared: 'MIT' }] },
      from,
    ),
    [{ name: 'n', version: '2', licenses: 'MIT', from }],
  );
  assert.deepEqual(
    componentsOf({ artifacts: [{ name: 'n', version: '3', licenses: ['MIT', { value: 'BSD' }] }, {}] }, from),
    [{ name: 'n', version: '3', licenses: 'MIT, BSD', from }],
  );
  assert.deepEqual(componentsOf(undefined, from), []);
});

test('spans of time', () => {
  assert.deepEqual([0, 12.4, 999, 1000, 59_940, 60_000, 3_725_000].map(spanText), [
    '0 ms',
    '12 ms',
    '999 ms',
    '1.0s',
    '59.9s',
    '1m 00s',
    '1h 02m',
  ]);
});
