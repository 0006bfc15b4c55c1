import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel, CodedError, hasCode, kindOf } from '../base/index.ts';
import type { Container, ContainerProcess, Frontend, FrontendHost, Plan, Ref } from '../frontend/index.ts';
import { sourceState } from '../graph/index.ts';
import { hostPlatform } from '../image/index.ts';
import { EngineRig, type BuildOptions, type Built } from './engine-rig.suite.ts';

const NOTHING: Plan = { results: new Map(), metadata: new Map() };
const platform = hostPlatform(process);
const ROOT = { type: 'bind', target: '/', input: 0, readonly: false } as const;

interface Tools {
  readonly host: FrontendHost;
  /** The context. */
  readonly ref: Ref;
  readonly open: (more?: Partial<Parameters<NonNullable<FrontendHost['container']>>[0]>) => Promise<Container>;
  readonly signal: AbortSignal | undefined;
}

/** Builds with a frontend that does this with containers. */
async function withContainers(
  work: (tools: Tools) => Promise<void>,
  o: BuildOptions & { readonly rig?: ((rig: EngineRig) => void) | undefined } = {},
): Promise<Built & { readonly running: readonly string[] }> {
  const frontend: Frontend = async (_request, host, w = {}) => {
    const ref = await host.solve(sourceState({ type: 'local', name: 'context' }, { name: 'context' }));
    const open: Tools['open'] = (more) =>
      host.container!({ mounts: [ROOT], refs: [ref], platform, network: 'default', ...more }, w);
    await work({ host, ref, open, signal: w.signal });
    return NOTHING;
  };
  await using rig = await EngineRig.open({ frontends: { looker: frontend } });
  o.rig?.(rig);
  const built = await rig.build({ file: 'content' }, { ...o, frontend: 'looker' });
  return { ...built, running: [...rig.ground.running] };
}

/** A process that runs a script, and what it says. */
function processOf(script: string, more: Partial<ContainerProcess> = {}): ContainerProcess & { said(): string } {
  const out: Uint8Array[] = [];
  return {
    args: ['sh', '-c', script],
    stdout: (chunk) => void out.push(chunk),
    stderr: (chunk) => void out.push(chunk),
    ...more,
    said: () => Buffer.concat(out).toString(),
  };
}

test('a container has what was solved as its root, which processes change one after the other; nothing of it is kept', async () => {
  const { error, running } = await withContainers(async ({ host, ref, open }) => {
    await using container = await open();
    const first = processOf('cat /file; write /left here');
    assert.equal(await container.run(first), 0);
    assert.equal(first.said(), 'content\n');
    assert.equal(await container.run(processOf('cat /left; exit 3')), 3);
    assert.equal(Buffer.from(await container.read('/left')).toString(), 'here');
    assert.deepEqual(
      (await container.list('/')).map(({ path }) => path),
      ['file', 'left'],
    );
    assert.equal((await container.stat('/left'))?.size, 4);
    assert.equal(await container.stat('/nothing'), undefined);
    await assert.rejects(container.read('/nothing'), (thrown) => hasCode(thrown, 'PATH_NOT_FOUND'));
    assert.equal(await host.stat(ref, '/left'), undefined);
    await using other = await open();
    assert.equal(await other.stat('/left'), undefined);
  });
  assert.equal(error, undefined);
  assert.deepEqual(running, []);
});

test('bytes go in and out as they are, several processes at once; those that joined end with the first', async () => {
  let rig!: EngineRig;
  const { error } = await withContainers(
    async ({ open }) => {
      await using container = await open();
      const first = container.run(processOf('wait over'));
      await rig.ground.reached('over');
      const bytes = Buffer.from([...Array(256).keys()]);
      const input = new Channel<Uint8Array>();
      input.push(bytes);
      input.push(bytes);
      input.end();
      const chunks: Uint8Array[] = [];
      const piped = processOf('input', { stdin: input, stdout: (chunk) => void chunks.push(chunk) });
      const beside = container.run(processOf('wait never'));
      assert.equal(await container.run(piped), 0);
      assert.deepEqual(Buffer.concat(chunks), Buffer.concat([bytes, bytes]));
      await rig.ground.reached('never');
      rig.ground.pass('over');
      assert.equal(await first, 0);
      assert.equal(await beside, 137);
      assert.equal(await container.run(processOf('echo again')), 0);
    },
    { rig: (opened) => (rig = opened) },
  );
  assert.equal(error, undefined);
});

test('signals by name and sizes reach a process, also those that come early', async () => {
  let rig!: EngineRig;
  await withContainers(
    async ({ open }) => {
      await using container = await open();
      const onStart: ContainerProcess['onStart'] = (control) => {
        assert.throws(
          () => control.signal('SIGNONSENSE'),
          (thrown) => hasCode(thrown, 'STEP_SIGNAL_UNKNOWN'),
        );
        control.resize({ columns: 70, rows: 20 });
        control.signal('SIGTERM');
      };
      const waiting = processOf('wait ever', { onStart, terminal: { columns: 80, rows: 24 } });
      assert.equal(await container.run(waiting), 143);
      assert.deepEqual(rig.ground.sizes, ['70x20']);
    },
    { rig: (opened) => (rig = opened) },
  );
});

test('variables: the last word counts, secrets are asked for by id, PATH and TERM are there', async () => {
  const { error, events } = await withContainers(
    async ({ open }) => {
      await using container = await open();
      const secretEnv = [
        { id: 'token', name: 'TOKEN', required: true },
        { id: 'none', name: 'NONE', required: false },
      ];
      const asked = processOf('env', { env: ['A=1', 'A=2'], secretEnv, terminal: { columns: 1, rows: 1 } });
      assert.equal(await container.run(asked), 0);
      assert.match(asked.said(), /^PATH=\S+ TERM=xterm A=2 TOKEN=hush\n$/);
      const missing = processOf('env', { secretEnv: [{ id: 'none', name: 'NONE', required: true }] });
      await assert.rejects(container.run(missing), (thrown) => hasCode(thrown, 'SECRET_NOT_GIVEN'));
    },
    { secrets: { token: 'hush' } },
  );
  assert.equal(error, undefined);
  assert.ok(!JSON.stringify(events).includes('hush'));
});

test('a user is looked up in the root as it is', async () => {
  const { error } = await withContainers(async ({ open }) => {
    await using container = await open();
    await container.run(processOf('mkdir /etc; write /etc/passwd new:x:12:34::/:/bin/sh'));
    const named = processOf('id', { user: 'new' });
    assert.equal(await container.run(named), 0);
    assert.equal(named.said(), '12:34:\n');
    await assert.rejects(container.run(processOf('id', { user: 'nobody' })), (thrown) =>
      hasCode(thrown, 'STEP_USER_UNKNOWN'),
    );
  });
  assert.equal(error, undefined);
});

test('what the build was not granted is refused', async () => {
  const { error } = await withContainers(async ({ open }) => {
    const refused = (thrown: unknown): boolean => hasCode(thrown, 'STEP_NOT_ENTITLED');
    await assert.rejects(open({ network: 'host' }), refused);
    await using container = await open();
    await assert.rejects(container.run(processOf('id', { security: 'insecure' })), refused);
  });
  assert.equal(error, undefined);
  const granted = await withContainers(
    async ({ open }) => {
      await using container = await open({ network: 'host' });
      assert.equal(await container.run(processOf('id', { security: 'insecure' })), 0);
    },
    { allow: ['network.host', 'security.insecure'] },
  );
  assert.equal(granted.error, undefined);
});

test('the end of the plan ends containers that were left open, and so does the end of the build', async () => {
  let rig!: EngineRig;
  let left: Promise<number> | undefined;
  const ended = await withContainers(
    async ({ open }) => {
      left = (await open()).run(processOf('wait left'));
      left.catch(() => undefined);
      await rig.ground.reached('left');
    },
    { rig: (opened) => (rig = opened) },
  );
  assert.equal(ended.error, undefined);
  assert.deepEqual(ended.running, []);
  await assert.rejects(left!, (thrown) => kindOf(thrown) === 'cancelled');
  const stop = new AbortController();
  const stopped = await withContainers(
    async ({ open }) => {
      const container = await open();
      void rig.ground.reached('stopped').then(() => stop.abort());
      await container.run(processOf('wait stopped'));
    },
    { rig: (opened) => (rig = opened), signal: stop.signal },
  );
  assert.equal(kindOf(stopped.error), 'cancelled');
  assert.deepEqual(stopped.running, []);
  assert.ok(!(stopped.error instanceof TypeError) && stopped.error instanceof CodedError);
});
