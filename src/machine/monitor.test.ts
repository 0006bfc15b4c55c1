import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cancelled, hasCode, systemClock, systemRandom } from '../base/index.ts';
import type { Executor, ProcessIo } from '../exec/index.ts';
import { askMonitor, converse } from './ask-monitor.ts';
import { ContainerStore } from './container-store.ts';
import { logFolder } from './log-files.ts';
import { superviseContainer } from './monitor.ts';
import { readLog } from './read-log.ts';
import type { ContainerSpec } from './record.ts';
import { SPEC } from './spec.suite.ts';

/** What one run of the process does: says something and ends with a code, or waits to be killed. */
type Run = { readonly says?: string; readonly code: number } | 'waits';

/** An executor whose processes do what a test says, and that nothing else is needed for. */
function executorOf(runs: Run[]): Executor {
  let running = false;
  return {
    report: {
      name: 'said',
      seccomp: true,
      devicesCgroup: true,
      capabilities: true,
      ids: 'root',
      network: 'host',
      networks: ['default'],
      lacks: [],
    },
    run: async (_, { io, signal }: { io: ProcessIo; signal?: AbortSignal | undefined }) => {
      const run = runs.shift() ?? { code: 99 };
      running = true;
      try {
        if (run !== 'waits') {
          await io.stdout(Buffer.from(run.says ?? ''));
          return run.code;
        }
        if (io.stdin) for await (const chunk of io.stdin) await io.stdout(chunk);
        return await new Promise<number>((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(cancelled(signal.reason))),
        );
      } finally {
        running = false;
      }
    },
    look: async () => undefined,
    running: {
      signal: async (_, number) => (running ? (number === 0 ? 'sent' : 'ignored') : 'absent'),
      resize: async () => undefined,
      listening: async () => [],
      join: async (_, process, { io }) => {
        await io.stdout(Buffer.from(`${process.args.join(' ')} as ${process.user.uid} in ${process.cwd}`));
        return 7;
      },
    },
  };
}

interface Supervised extends Disposable {
  readonly store: ContainerStore;
  readonly id: string;
  readonly folder: string;
  readonly over: Promise<void>;
  readonly started: Promise<number | undefined>;
  readonly kept: string[];
  readonly spec: ContainerSpec;
}

function supervised(runs: Run[], o: { spec?: Partial<ContainerSpec>; attachFirst?: boolean } = {}): Supervised {
  const at = mkdtempSync(join(tmpdir(), 'strake-monitor-'));
  const store = new ContainerStore(join(at, 'containers'), { clock: systemClock, random: systemRandom });
  const spec = { ...SPEC, overrides: { command: ['serve'] }, ...o.spec };
  const { id } = store.create(spec, { name: 'box' });
  const kept: string[] = [];
  const started = Promise.withResolvers<number | undefined>();
  const over = superviseContainer({
    store,
    id,
    attachFirst: o.attachFirst,
    openRoot: async () => ({
      ground: { name: 'root said', executor: executorOf(runs) },
      mounts: [],
      user: async () => ({ uid: 5, gid: 5, additionalGids: [] }),
      keep: async (name) => void kept.push(name),
      [Symbol.asyncDispose]: async () => undefined,
    }),
    clock: systemClock,
    random: systemRandom,
    started: ({ exitCode }) => started.resolve(exitCode),
  });
  over.catch(() => undefined);
  const folder = store.folderOf(id);
  return {
    store,
    id,
    folder,
    over,
    started: started.promise,
    kept,
    spec,
    [Symbol.dispose]: () => rmSync(at, { recursive: true }),
  };
}

async function logOf(o: Supervised): Promise<string> {
  let text = '';
  for await (const batch of readLog(logFolder(o.folder), { ended: () => true }))
    for (const { bytes } of batch) text += Buffer.from(bytes).toString();
  return text;
}

test('its end is on record with its code, its log whole, what it wrote kept', async () => {
  using it = supervised([{ says: 'no line feed', code: 3 }]);
  await it.over;
  const record = it.store.find('box');
  assert.deepEqual([record.status, record.exitCode, record.restarts, record.kept], ['exited', 3, 0, true]);
  assert.deepEqual(it.kept, [`container-${it.id}`]);
  assert.equal(await logOf(it), 'no line feed');
});

test('one that fails is started again as often as its policy says, and each run is in the log', async () => {
  using it = supervised(
    [
      { says: 'a\n', code: 1 },
      { says: 'b\n', code: 1 },
      { says: 'c\n', code: 4 },
    ],
    { spec: { restart: { kind: 'on-failure', most: 2 } } },
  );
  await it.over;
  const record = it.store.find('box');
  assert.deepEqual([record.status, record.exitCode, record.restarts], ['exited', 4, 2]);
  assert.equal(await logOf(it), 'a\nb\nc\n');
});

test('one that is always started again ends when it is stopped, and nobody starts it again', async () => {
  using it = supervised([{ code: 0 }, 'waits', { code: 0 }], { spec: { restart: { kind: 'always' } } });
  await it.started;
  while (it.store.find('box').restarts !== 1 || it.store.find('box').status !== 'running')
    await new Promise((resolve) => setTimeout(resolve, 5));
  const waiting = askMonitor({ ask: 'wait' }, { folder: it.folder, name: 'box' });
  const code = await askMonitor({ ask: 'stop' }, { folder: it.folder, name: 'box' });
  assert.deepEqual([code, await waiting], [128 + 15, 128 + 15]);
  await it.over;
  assert.deepEqual([it.store.find('box').status, it.store.find('box').stopped], ['exited', true]);
  await assert.rejects(askMonitor({ ask: 'wait' }, { folder: it.folder, name: 'box' }), (error) =>
    hasCode(error, 'CONTAINER_NOT_RUNNING'),
  );
});

test('a stop while it waits to be started again ends it', async () => {
  using it = supervised([{ code: 1 }, { code: 1 }, { code: 1 }, { code: 1 }, { code: 1 }], {
    spec: { restart: { kind: 'always' } },
  });
  await it.started;
  while (it.store.find('box').restarts < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await askMonitor({ ask: 'stop' }, { folder: it.folder, name: 'box' }), 1);
  await it.over;
  assert.equal(it.store.find('box').status, 'exited');
});

test('a command beside it gets its user and folder, its output and code come back', async () => {
  using it = supervised(['waits']);
  await it.started;
  let said = '';
  const code = await converse(
    { ask: 'exec', args: ['id', '-u'], env: [], stdin: false, detach: false },
    {
      folder: it.folder,
      name: 'box',
      stdout: (chunk) => void (said += Buffer.from(chunk).toString()),
      stderr: () => undefined,
    },
  );
  assert.deepEqual([code, said], [7, 'id -u as 5 in /']);
  await askMonitor({ ask: 'signal', number: 9 }, { folder: it.folder, name: 'box' });
  await it.over;
  assert.equal(it.store.find('box').exitCode, 137);
});

test('who attaches first sees all of it, and what is typed goes in', async () => {
  using it = supervised(['waits'], { attachFirst: true, spec: { interactive: true, autoRemove: true } });
  let said = '';
  const typed = (async function* (): AsyncIterable<Uint8Array> {
    await it.started;
    yield Buffer.from('typed');
  })();
  const asking = { folder: it.folder, name: 'box' };
  const attaching = (async () => {
    for (;;)
      try {
        return await converse(
          { ask: 'attach', stdin: true },
          {
            ...asking,
            stdin: typed,
            stdout: (chunk) => {
              said += Buffer.from(chunk).toString();
              void askMonitor({ ask: 'stop', graceMs: 0 }, asking);
            },
            stderr: () => undefined,
          },
        );
      } catch (error) {
        if (!hasCode(error, 'CONTAINER_NOT_RUNNING')) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
  })();
  assert.equal(await attaching, 143);
  assert.equal(said, 'typed');
  await it.over;
  assert.deepEqual(it.store.list(), [], 'one of --rm is gone');
});

test('what cannot be started is told, and is on record as never started', async () => {
  using it = supervised([], { spec: { overrides: { command: [], workdir: 'relative' } } });
  await assert.rejects(it.over, (error) => hasCode(error, 'RUN_INVALID'));
  const record = it.store.find('box');
  assert.equal(record.status, 'created');
  assert.match(record.error ?? '', /not absolute/);
});
