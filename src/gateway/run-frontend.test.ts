import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, hasCode, kindOf } from '../base/index.ts';
import type { ContainerProcess } from '../frontend/index.ts';
import { sourceState } from '../graph/index.ts';
import { DefinitionSchema } from '../wire/gen/buildkit/ops_pb.ts';
import { LLBBridge } from '../wire/gen/buildkit/gateway_pb.ts';
import { fromBinary, GrpcConnection, StatusError, type Client } from '../wire/grpc/index.ts';
import { amd64, FakeGatewayHost, requestFor, type FakeGateway, type Program } from './fake-host.suite.ts';
import { ProcessStream } from './process-stream.ts';
import { gatewayFrontend } from './run-frontend.ts';

/** A program that speaks gRPC on the process's streams. */
function speaking(work: (bridge: Client<typeof LLBBridge>, process: ContainerProcess) => Promise<number>): Program {
  return async (process) => {
    const stream = new ProcessStream();
    void (async () => {
      for await (const chunk of process.stdin ?? []) await stream.stdout(chunk);
      stream.end();
    })();
    void (async () => {
      for await (const chunk of stream.stdin()) await process.stdout(chunk);
    })();
    await using connection = new GrpcConnection(stream.connection);
    return await work(connection.client(LLBBridge), process);
  };
}

const failure = async (o: FakeGateway, options: Readonly<Record<string, string>> = {}): Promise<CodedError> => {
  const host = new FakeGatewayHost(o);
  try {
    await gatewayFrontend(requestFor(options), host);
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
    assert.equal(host.open, 0, 'the container is gone');
    return error;
  }
  throw new assert.AssertionError({ message: 'it did not fail' });
};

test('a frontend is started with what the image and the options say, and gives a plan', async () => {
  const host = new FakeGatewayHost({
    config: { Env: ['A=b'], WorkingDir: '/w', Labels: { 'moby.buildkit.frontend.network.none': '1' } },
    program: speaking(async (bridge, process) => {
      await process.stderr(Buffer.from('half a li'));
      await process.stderr(Buffer.from('ne\nlast'));
      const { FrontendAPICaps: caps, Workers: workers } = await bridge.ping({});
      assert.ok(caps.some(({ ID }) => ID === 'frontend.inputs'));
      assert.equal(workers[0]?.platforms[0]?.Architecture, 'amd64');
      await bridge.warn({ digest: 'sha256:0', short: Buffer.from('careful'), detail: [Buffer.from('why')] });
      await bridge.return({ result: { metadata: { 'frontend.x': Buffer.from('y') } } });
      return 0;
    }),
  });
  const plan = await gatewayFrontend(requestFor({ target: 'x', 'build-arg:A': 'b=c' }), host);
  assert.equal(Buffer.from(plan.metadata.get('frontend.x') ?? []).toString(), 'y');
  const [container] = host.containers;
  assert.equal(container?.network, 'none');
  assert.deepEqual(
    container.mounts.map(({ target }) => target),
    ['/', '/run/config/buildkit/metadata'],
  );
  const definition = fromBinary(DefinitionSchema, await host.read({ id: '1' }, '/frontend.bin'));
  assert.ok(definition.def.length > 0, 'the frontend can read what it is made of');
  const [process] = host.processes;
  assert.deepEqual(process?.args, ['/frontend', 'serve']);
  assert.equal(process.cwd, '/w');
  assert.deepEqual(process.env?.slice(0, 4), [
    'A=b',
    'BUILDKIT_FRONTEND_OPT_0=build-arg:A=b=c',
    'BUILDKIT_FRONTEND_OPT_1=source=example.org/front:1',
    'BUILDKIT_FRONTEND_OPT_2=target=x',
  ]);
  const workers = process.env.find((one) => one.startsWith('BUILDKIT_WORKERS='));
  const told = JSON.parse(workers?.slice('BUILDKIT_WORKERS='.length) ?? '') as { Platforms: object[] }[];
  assert.deepEqual(told[0]?.Platforms, [{ architecture: 'amd64', os: 'linux' }]);
  assert.deepEqual(host.log, ['half a line', 'last']);
  assert.deepEqual(host.warnings, [{ code: 'FrontendWarning', message: 'careful', detail: 'why' }]);
  assert.equal(host.open, 0);
});

test('frontends that do no good end in an error that says why', async () => {
  const crash = await failure({
    program: async (process) => {
      await process.stderr(Buffer.from('panic: no such thing\n'));
      return 3;
    },
  });
  assert.ok(hasCode(crash, 'FRONTEND_FAILED'));
  assert.match(crash.message, /"example\.org\/front:1": it ended with exit code 3: panic: no such thing/);

  const silent = await failure({ program: async () => 0 });
  assert.ok(hasCode(silent, 'FRONTEND_NO_RESULT'));

  const garbage = await failure({
    program: async (process, { signal }) => {
      await process.stdout(Buffer.from('Usage: frontend FILE and more than the preface of HTTP/2\n'));
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return 137;
    },
  });
  assert.match(garbage.message, /it wrote "Usage: frontend FILE/);

  const said = await failure({
    program: speaking(async (bridge) => {
      await bridge.return({ error: { code: 3, message: 'line 3 is wrong' } });
      return 1;
    }),
  });
  assert.equal(said.message, 'line 3 is wrong');
  assert.equal(kindOf(said), 'invalid');

  const lost = await failure({
    program: speaking(async (bridge) => {
      await bridge.return({ result: {} });
      return 7;
    }),
  });
  assert.match(lost.message, /it ended with exit code 7/);
});

test('a frontend that hangs ends with the build', async () => {
  let killed = false;
  const host = new FakeGatewayHost({
    program: async (_process, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      killed = true;
      return 137;
    },
  });
  const leave = new AbortController();
  const planning = gatewayFrontend(requestFor({}), host, { signal: leave.signal });
  setImmediate(() => leave.abort());
  await assert.rejects(planning, (error) => kindOf(error) === 'cancelled');
  assert.ok(killed);
  assert.equal(host.open, 0);
});

test('what a frontend cannot do is said by its label', async () => {
  const caps = { Labels: { 'moby.buildkit.frontend.caps': 'moby.buildkit.frontend.inputs,a+b' } };
  const inputs = new Map([['x', sourceState({ type: 'local', name: 'x' }, { name: 'x' })]]);
  const refused = await failure({ inputs });
  assert.ok(hasCode(refused, 'FRONTEND_UNSUPPORTED'));
  assert.ok(refused.cause instanceof StatusError);
  assert.match(refused.cause.details[0]?.typeUrl ?? '', /errdefs\.FrontendCap\+json$/);
  assert.match((await failure({ config: caps, inputs }, { 'frontend.caps': 'a,c' })).message, /capability c$/);
  assert.match((await failure({ config: caps }, { requestid: 'frontend.lint' })).message, /subrequests$/);

  let given: readonly string[] = [];
  const host = new FakeGatewayHost({
    config: caps,
    inputs,
    program: speaking(async (bridge) => {
      given = Object.keys((await bridge.inputs({})).Definitions);
      await bridge.return({ result: {} });
      return 0;
    }),
  });
  await gatewayFrontend(requestFor({ 'frontend.caps': 'a' }), host);
  assert.deepEqual(given, ['x']);
});

test('where a frontend comes from', async () => {
  const done = speaking(async (bridge) => {
    await bridge.return({ result: {} });
    return 0;
  });
  const sourceOf = async (options: Readonly<Record<string, string>>): Promise<object | undefined> => {
    const host = new FakeGatewayHost({ program: done });
    await gatewayFrontend(requestFor(options), host);
    return host.resolved[0]?.source;
  };
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(await sourceOf({ source: `me/front@${digest}`, 'image-resolve-mode': 'pull' }), {
    type: 'image',
    reference: `docker.io/me/front@${digest}`,
    platform: amd64,
    pull: 'always',
  });
  assert.deepEqual(await sourceOf({ source: 'me/front', 'context:me/front': `oci-layout://store:tag@${digest}` }), {
    type: 'oci-layout',
    store: 'store',
    digest,
    platform: amd64,
  });
  assert.match((await failure({}, { source: '' })).message, /no source specified/);
  assert.match((await failure({}, { source: 'A B' })).message, /run frontend "A B"/);
  assert.match((await failure({}, { 'context:example.org/front:1': 'ftp://x' })).message, /is no image/);
  assert.equal((await failure({}, { source: 'example.org/absent' })).kind, 'not_found');

  const deep = new FakeGatewayHost({ program: done });
  await assert.rejects(gatewayFrontend({ ...requestFor({}), depth: 8 }, deep), { code: 'FRONTEND_NESTED' });
});

test('a frontend may be what another one builds', async () => {
  const root = sourceState({ type: 'local', name: 'made' }, { name: 'made' });
  let asked: Readonly<Record<string, string>> = {};
  const host = new FakeGatewayHost({
    program: speaking(async (bridge) => {
      await bridge.return({ result: {} });
      return 0;
    }),
    frontends: {
      dockerfile: async ({ options }) => {
        asked = options;
        const config = {
          os: 'linux',
          architecture: 'amd64',
          config: { Entrypoint: ['/made'] },
          rootfs: { type: 'layers' as const, diff_ids: [] },
        };
        const image = { platform: amd64, layers: [], root, config, baseHistory: 0, attestations: [] };
        return { results: new Map([['linux/amd64', image]]), metadata: new Map() };
      },
    },
  });
  const options = { source: 'dockerfile.v0', 'gateway-devel': 'true', 'gateway-target': 'x', target: 'y' };
  await gatewayFrontend(requestFor(options), host);
  assert.deepEqual(asked, { target: 'x' });
  assert.deepEqual(host.processes[0]?.args, ['/made']);
});
