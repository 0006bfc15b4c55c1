import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Control, BuildHistoryEventType, type Vertex } from '../../src/wire/gen/buildkit/control_pb.ts';
import { LLBBridge } from '../../src/wire/gen/buildkit/gateway_pb.ts';
import { Content } from '../../src/wire/gen/containerd/content_pb.ts';
import { Health } from '../../src/wire/gen/grpc/health_pb.ts';
import { Code, StatusError, type GrpcConnection } from '../../src/wire/grpc/index.ts';
import { systemRandom } from '../../src/base/index.ts';
import { openArchive } from '../../src/image/index.ts';
import { strake } from '../lib/strake.ts';
import { buildLikeBuildx, Daemon, type BuildOutcome } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-serve-'));
let daemon: Daemon;
let connection: GrpcConnection;

before(async () => {
  daemon = await Daemon.start(join(folder, 'one'));
  connection = await daemon.connect();
});

after(async () => {
  await connection[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const HELLO = { Dockerfile: 'FROM scratch\nCOPY hello.txt /hello.txt\nLABEL a=b\n', 'hello.txt': 'hello\n' };

function lastOf(outcome: BuildOutcome, name: RegExp): Vertex | undefined {
  return outcome.status.flatMap(({ vertexes }) => vertexes).findLast((vertex) => name.test(vertex.name));
}

async function statusOf(work: Promise<unknown>): Promise<StatusError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'the call did not fail' });
}

test('a daemon says who it is, on a socket for its user alone', async () => {
  assert.equal(statSync(daemon.socket).mode & 0o777, 0o600);
  const client = connection.client(Control);
  const { record } = await client.listWorkers({});
  assert.equal(record.length, 1);
  assert.ok((record[0]?.platforms.length ?? 0) > 0);
  assert.match(record[0]?.BuildkitVersion?.version ?? '', /^v\d+\.\d+/);
  const { buildkitVersion } = await client.info({});
  assert.equal(buildkitVersion?.package, 'strake');
  assert.equal((await connection.client(Health).check({})).status, 1);
});

test('buildx asks for capabilities by a build of nothing, then builds into an archive', async () => {
  await buildLikeBuildx(connection, { ref: 'caps', files: {}, folder, internal: true });
  const output = join(folder, 'hello.tar');
  const outcome = await buildLikeBuildx(connection, {
    ref: 'hello',
    files: HELLO,
    folder,
    output,
    exporters: [{ Type: 'oci', Attrs: { name: 'example/hello:1' } }],
  });
  const { response } = outcome;
  assert.match(response['containerimage.digest'] ?? '', /^sha256:/);
  const descriptor = JSON.parse(Buffer.from(response['containerimage.descriptor'] ?? '', 'base64').toString()) as {
    digest: string;
  };
  assert.equal(descriptor.digest, response['containerimage.digest']);
  assert.equal(response['image.name'], 'docker.io/example/hello:1');
  const copy = lastOf(outcome, /COPY hello\.txt/);
  assert.ok(copy?.started && copy.completed, 'the step has ended');
  assert.equal(copy.error, '');
  assert.ok(outcome.result?.metadata['containerimage.config']);
  using archive = await openArchive(output, { temp: folder, random: systemRandom });
  assert.equal(archive.images.length, 1);
});

test('how an image was made is said beside it and on record', async () => {
  const { response } = await buildLikeBuildx(connection, {
    ref: 'attested',
    files: HELLO,
    folder,
    options: { 'attest:provenance': 'mode=max,builder-id=https://example.org/me' },
    output: join(folder, 'attested.tar'),
    exporters: [{ Type: 'oci', Attrs: {} }],
  });
  const { mediaType } = JSON.parse(Buffer.from(response['containerimage.descriptor'] ?? '', 'base64').toString()) as {
    mediaType: string;
  };
  assert.equal(mediaType, 'application/vnd.oci.image.index.v1+json');
  let digest = '';
  for await (const { record } of connection.client(Control).listenBuildHistory({ EarlyExit: true, Ref: 'attested' }))
    digest = record?.Result?.Attestations[0]?.digest ?? '';
  const pieces: Uint8Array[] = [];
  for await (const { data } of connection.client(Content).read({ digest })) pieces.push(data);
  const predicate = JSON.parse(Buffer.concat(pieces).toString()) as {
    builder: { id: string };
    invocation: { parameters: { frontend: string } };
  };
  assert.equal(predicate.builder.id, 'https://example.org/me');
  assert.equal(predicate.invocation.parameters.frontend, 'dockerfile.v0');
  await connection.client(Control).updateBuildHistory({ Ref: 'attested', Delete: true });
});

test('what was built is on record, with its story, after the daemon was killed, too', async () => {
  const events = async (of: GrpcConnection): Promise<string[]> => {
    const refs: string[] = [];
    for await (const { type, record } of of.client(Control).listenBuildHistory({ EarlyExit: true }))
      if (type === BuildHistoryEventType.COMPLETE) refs.push(record?.Ref ?? '');
    return refs;
  };
  assert.deepEqual(await events(connection), ['hello']);
  const folderTwo = join(folder, 'two');
  const first = await Daemon.start(folderTwo);
  const one = await first.connect();
  await buildLikeBuildx(one, { ref: 'kept', files: HELLO, folder });
  const slow = buildLikeBuildx(one, {
    ref: 'lost',
    files: { Dockerfile: 'FROM nowhere.invalid/x\n' },
    folder,
  });
  slow.catch(() => undefined);
  first.process.kill('SIGKILL');
  assert.equal(await first.exited, 137);
  await assert.rejects(slow);
  await one[Symbol.asyncDispose]();
  await using second = await Daemon.start(folderTwo);
  await using two = await second.connect();
  assert.deepEqual(await events(two), ['kept']);
  const logs: string[] = [];
  for await (const { vertexes } of two.client(Control).status({ Ref: 'kept' }))
    logs.push(...vertexes.map(({ name }) => name));
  assert.ok(logs.some((name) => name.includes('COPY hello.txt')));
  const again = await buildLikeBuildx(two, { ref: 'again', files: HELLO, folder });
  assert.ok(lastOf(again, /COPY hello\.txt/)?.cached, 'the cache was kept');
});

test('a build that fails says where, in the words of the file', async () => {
  const failure = await statusOf(
    buildLikeBuildx(connection, {
      ref: 'bad',
      files: { Dockerfile: 'FROM scratch\n\nCOPY nothere /x\nLABEL a=b\n' },
      folder,
    }),
  );
  assert.equal(failure.code, Code.Unknown);
  assert.match(failure.message, /"\/nothere": not found/);
  const source = failure.details.find(({ typeUrl }) => typeUrl === 'github.com/moby/buildkit/errdefs.Source+json');
  assert.ok(source);
  const { info, ranges } = JSON.parse(Buffer.from(source.value).toString()) as {
    info: { filename: string; data: string };
    ranges: { start: { line: number } }[];
  };
  assert.equal(info.filename, 'Dockerfile');
  assert.equal(Buffer.from(info.data, 'base64').toString().split('\n')[3], 'LABEL a=b');
  assert.equal(ranges[0]?.start.line, 3);
});

test('refs are of their build alone, and calls that name none are refused', async () => {
  const bridge = connection.client(LLBBridge);
  assert.equal((await statusOf(bridge.ping({}))).code, Code.NotFound);
  assert.equal(
    (await statusOf(bridge.ping({}, { headers: { 'buildkit-controlapi-buildid': 'hello' } }))).message,
    'no such job hello: it has ended',
  );
  assert.equal(
    (
      await statusOf(
        connection.client(Control).solve({ Ref: 'alone', Session: 'of-somebody-else' }, { timeoutMs: 300 }),
      )
    ).code,
    Code.DeadlineExceeded,
  );
});

test('what is not known is refused by name', async () => {
  const failed = async (exporters: { Type: string; Attrs: Record<string, string> }[]): Promise<string> =>
    (await statusOf(buildLikeBuildx(connection, { ref: 'odd', files: HELLO, folder, exporters }))).message;
  const policy = connection.client(Control).solve({ Ref: 'policy', SourcePolicy: { rules: [{}] } });
  assert.match((await statusOf(policy)).message, /source policy: rules\[0\]: it has no selector/);
  assert.match(await failed([{ Type: 'floppy', Attrs: {} }]), /exporter "floppy" could not be found/);
  assert.match(
    await failed([{ Type: 'oci', Attrs: { compression: 'rar' } }]),
    /unsupported layer compression type rar/,
  );
});

test('a client that vanishes leaves nothing behind, and others do not notice', async () => {
  const other = await daemon.connect();
  const waiting = buildLikeBuildx(other, {
    ref: 'vanishing',
    files: { Dockerfile: 'FROM scratch\nCOPY . /\n', 'a.txt': 'a' },
    folder,
    onStatus: () => other.destroy(),
  });
  await assert.rejects(waiting);
  const outcome = await buildLikeBuildx(connection, { ref: 'after', files: HELLO, folder });
  assert.ok(lastOf(outcome, /COPY hello\.txt/)?.cached);
  const running: string[] = [];
  for await (const { record } of connection.client(Control).listenBuildHistory({ EarlyExit: true, ActiveOnly: true }))
    running.push(record?.Ref ?? '');
  assert.deepEqual(running, []);
  assert.deepEqual(readFolders(join(daemon.folder, 'store/tmp')), []);
});

test('one store has one daemon; TCP without certificates of clients is refused', async () => {
  const store = join(daemon.folder, 'store');
  const second = await strake(['daemon', '--addr', `unix://${join(folder, 'x.sock')}`], { root: store });
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /serves it at unix:/);
  const open = await strake(['daemon', '--addr', 'tcp://127.0.0.1:0'], { root: join(folder, 'tcp') });
  assert.notEqual(open.code, 0);
  assert.match(open.stderr, /anybody who reaches it could run builds here/);
  assert.ok(!existsSync(join(folder, 'tcp/daemon.json')));
});

test('SIGTERM: it ends by itself, with code 0, and takes its socket away', async () => {
  const stopped = await Daemon.start(join(folder, 'three'));
  stopped.process.kill('SIGTERM');
  assert.equal(await stopped.exited, 0);
  assert.ok(!existsSync(stopped.socket));
  assert.match(readFileSync(join(stopped.folder, 'store/workerid'), 'utf8'), /^[0-9a-f]{32}$/);
});

function readFolders(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
