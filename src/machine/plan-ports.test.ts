import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { planPorts } from './plan-ports.ts';

let server: Server;
let taken = 0;
before(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  taken = (server.address() as { port: number }).port;
});
after(() => server.close());

const config = (...ports: (number | string)[]) => ({
  ExposedPorts: Object.fromEntries(ports.map((port) => [String(port), {}])),
});
const pasta = { network: 'pasta', publishes: 'pasta' } as const;
const bare = { network: 'host' } as const;
const plain = { network: 'default', requests: [], all: false, report: pasta } as const;

test('exposed ports that nobody asks for are published on loopback, elsewhere when they are taken', async () => {
  const plan = await planPorts(config(taken, '53/udp'), plain);
  const [tcp, udp] = plan.published;
  assert.equal(plan.published.length, 2);
  assert.deepEqual([tcp?.port, tcp?.hostAddress, udp?.port, udp?.protocol], [taken, '127.0.0.1', 53, 'udp']);
  assert.notEqual(tcp?.hostPort, taken);
  assert.deepEqual(plan.watched, [{ port: taken, hostPort: tcp?.hostPort, hostAddress: '127.0.0.1', loopback: true }]);
  assert.match(plan.notes.join(), new RegExp(`Port ${taken} of this machine cannot be had`));
  assert.deepEqual((await planPorts({}, plain)).published, []);
  const many = await planPorts(config('2000-2100'), plain);
  assert.deepEqual(many.published, []);
  assert.match(many.notes.join(), /101 exposed ports/);
});

test('ports asked for are the only ones, unless all are', async () => {
  const requests = [{ protocol: 'tcp', port: 80 }] as const;
  const some = await planPorts(config(90), { ...plain, requests });
  assert.deepEqual(
    some.published.map(({ port, hostAddress }) => [port, hostAddress]),
    [[80, undefined]],
  );
  const all = await planPorts(config(90, 80), { ...plain, requests, all: true });
  assert.deepEqual(
    all.published.map(({ port }) => port),
    [80, 90],
  );
  assert.equal(new Set(all.published.map(({ hostPort }) => hostPort)).size, 2);
  const udp = await planPorts({}, { ...plain, requests: [{ protocol: 'udp', port: 53 }] });
  assert.deepEqual(udp.watched, []);
  assert.match(udp.notes.join(), /UDP/);
});

test('a port that is taken, or asked for twice, is told', async () => {
  const busy = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: taken, port: 80 } as const;
  await assert.rejects(planPorts({}, { ...plain, requests: [busy] }), (error) => hasCode(error, 'PORT_TAKEN'));
  const free =
    (await planPorts({}, { ...plain, requests: [{ protocol: 'tcp', port: 80 }] })).published[0]?.hostPort ?? 0;
  const twice = [80, 81].map((port) => ({ protocol: 'tcp', hostPort: free, port }) as const);
  await assert.rejects(planPorts({}, { ...plain, requests: twice }), /asked for twice/);
  const nowhere = { protocol: 'tcp', hostAddress: '203.0.113.77', hostPort: 0, port: 80 } as const;
  await assert.rejects(planPorts({}, { ...plain, requests: [nowhere] }), /no such address/);
});

test('with the network of this machine nothing is published; what others listen on is told', async () => {
  const plan = await planPorts(config(taken), { ...plain, network: 'host', requests: [{ protocol: 'tcp', port: 80 }] });
  assert.deepEqual([plan.published, plan.watched], [[], []]);
  assert.match(plan.notes.join(), new RegExp(`no port is published.*listens on port ${taken} already`));
  const fallback = await planPorts(config(1), { ...plain, report: bare });
  assert.deepEqual(fallback, { published: [], watched: [{ port: 1, hostPort: 1, loopback: true }], notes: [] });
});

test('where nothing can publish: the same number on the machine’s network will do, anything else is refused', async () => {
  const direct = [{ protocol: 'tcp', hostPort: 8, port: 8 }] as const;
  const plan = await planPorts({}, { ...plain, report: bare, requests: direct });
  assert.deepEqual(plan.watched, [{ port: 8, hostPort: 8, loopback: true }]);
  const refused = (error: unknown): boolean => hasCode(error, 'RUN_UNSUPPORTED');
  const other = [{ protocol: 'tcp', hostPort: 9, port: 8 }] as const;
  await assert.rejects(planPorts({}, { ...plain, report: bare, requests: other }), refused);
  const bound = [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8, port: 8 }] as const;
  await assert.rejects(planPorts({}, { ...plain, report: bare, requests: bound }), refused);
  await assert.rejects(planPorts({}, { ...plain, report: { network: 'cni' }, requests: direct }), refused);
  assert.match((await planPorts(config(80), { ...plain, report: { network: 'cni' } })).notes.join(), /not published/);
  await assert.rejects(planPorts({}, { ...plain, network: 'none', requests: direct }), (error) =>
    hasCode(error, 'RUN_INVALID'),
  );
  assert.deepEqual((await planPorts(config(80), { ...plain, network: 'none' })).published, []);
});
