import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cancelled, hasCode, kindOf, systemClock, systemRandom } from '../base/index.ts';
import type { Executor, ListeningPort, Process } from '../exec/index.ts';
import type { ImageConfig, RunConfig } from '../image/index.ts';
import { startContainer, type Container, type ContainerEvent } from './container.ts';

/** An executor whose process is what a test says of it. */
function executorOf(o: {
  readonly hears: 'sent' | 'ignored';
  readonly listening?: readonly ListeningPort[];
  readonly checks?: readonly number[];
}): { executor: Executor; end: (code: number) => void; seen: { process?: Process; signals: number[] } } {
  const ending = Promise.withResolvers<number>();
  const seen: { process?: Process; signals: number[] } = { signals: [] };
  const checks = [...(o.checks ?? [])];
  const executor: Executor = {
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
    run: (process, { signal }) => {
      seen.process = process;
      signal?.addEventListener('abort', () => ending.reject(cancelled(signal.reason)));
      return ending.promise;
    },
    look: async () => undefined,
    running: {
      signal: async (_, number) => {
        seen.signals.push(number);
        return o.hears;
      },
      resize: async () => undefined,
      listening: async () => o.listening ?? [],
      join: async () => checks.shift() ?? 0,
    },
  };
  return { executor, end: (code) => ending.resolve(code), seen };
}

async function started(
  executor: Executor,
  o: {
    run?: RunConfig;
    uid?: number;
    signal?: AbortSignal;
    grace?: number;
    health?: boolean;
    until?: (event: ContainerEvent) => boolean;
  } = {},
): Promise<{ container: Container; told: Promise<ContainerEvent> }> {
  const told = Promise.withResolvers<ContainerEvent>();
  const config: ImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
    config: { Cmd: ['serve'], ...o.run },
  };
  const container = await startContainer({
    config,
    executor,
    root: [],
    user: { uid: o.uid ?? 0, gid: 0, additionalGids: [] },
    overrides: {},
    publish: [],
    health: o.health,
    io: { stdout: () => undefined, stderr: () => undefined },
    tell: (event) => {
      if (o.until?.(event)) told.resolve(event);
    },
    clock: systemClock,
    random: systemRandom,
    grace: o.grace,
    signal: o.signal,
  });
  return { container, told: told.promise };
}

test('its exit code is passed on; its host name is its ID', async () => {
  const { executor, end, seen } = executorOf({ hears: 'sent' });
  const { container } = await started(executor);
  end(7);
  assert.equal(await container.ended, 7);
  assert.match(container.id, /^[0-9a-f]{12}$/);
  assert.equal(seen.process?.hostname, container.id);
});

test('a stop sends STOPSIGNAL once, and waits for the end that the process makes', async () => {
  const { executor, end, seen } = executorOf({ hears: 'sent' });
  const { container } = await started(executor, { run: { StopSignal: 'SIGQUIT' } });
  const stopping = container.stop();
  await container.stop();
  end(5);
  await stopping;
  assert.equal(await container.ended, 5);
  assert.deepEqual(seen.signals, [3]);
});

test('one that ignores the stop is killed after the grace; one that cannot hear it ends as the signal would have it', async () => {
  const stubborn = await started(executorOf({ hears: 'sent' }).executor, { grace: 1 });
  await stubborn.container.stop();
  assert.equal(await stubborn.container.ended, 137);
  const deaf = await started(executorOf({ hears: 'ignored' }).executor);
  await deaf.container.stop();
  assert.equal(await deaf.container.ended, 128 + 15);
  const killed = await started(executorOf({ hears: 'sent' }).executor);
  killed.container.kill();
  assert.equal(await killed.container.ended, 137);
});

test('when the signal fires it is cancelled', async () => {
  const giving = new AbortController();
  const { container } = await started(executorOf({ hears: 'sent' }).executor, { signal: giving.signal });
  giving.abort();
  await assert.rejects(container.ended, (error) => kindOf(error) === 'cancelled');
});

test('a bad STOPSIGNAL and a missing command are told before anything starts', async () => {
  const { executor, seen } = executorOf({ hears: 'sent' });
  await assert.rejects(started(executor, { run: { StopSignal: 'SIGNONSENSE' } }), /SIGNONSENSE/);
  await assert.rejects(started(executor, { run: { Cmd: [] } }), /neither ENTRYPOINT nor CMD/);
  assert.equal(seen.process, undefined);
});

test('where there is one id only, another user is refused with what to do', async () => {
  const { executor } = executorOf({ hears: 'sent' });
  const single: Executor = { ...executor, report: { ...executor.report, ids: 'single' } };
  await assert.rejects(started(single, { uid: 5 }), (error) => hasCode(error, 'RUN_UNSUPPORTED'));
});

test('a port is told of when something listens on it', async () => {
  const listening = [{ port: 1, everywhere: true }];
  const { executor, end } = executorOf({ hears: 'sent', listening });
  const { container, told } = await started(executor, {
    run: { ExposedPorts: { '1/tcp': {} } },
    until: ({ kind }) => kind === 'listening',
  });
  assert.deepEqual(await told, { kind: 'listening', at: 'http://127.0.0.1:1' });
  end(0);
  await container.ended;
});

test('health changes are told: unhealthy after so many failures in a row, healthy by one success', async () => {
  const ms = 1_000_000;
  const Healthcheck = { Test: ['CMD', 'check'], Interval: ms, Retries: 2 };
  const { executor, end } = executorOf({ hears: 'sent', checks: [1, 0, 1, 1] });
  const events: string[] = [];
  const { container, told } = await started(executor, {
    run: { Healthcheck },
    until: (event) => {
      if (event.kind === 'health') events.push(`${event.health} ${event.detail}`);
      return events.length === 3;
    },
  });
  await told;
  end(0);
  await container.ended;
  assert.deepEqual(events, ['healthy exit code 0', 'unhealthy exit code 1', 'healthy exit code 0']);
});
