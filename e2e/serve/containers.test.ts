import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Channel } from '../../src/base/index.ts';
import { MountType } from '../../src/wire/gen/buildkit/ops_pb.ts';
import { StatusError, type GrpcConnection, type MessageInitShape } from '../../src/wire/grpc/index.ts';
import type { ExecMessageSchema, ExecMessage } from '../../src/wire/gen/buildkit/gateway_pb.ts';
import { buildLikeBuildx, Daemon, type LookAt } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-containers-'));
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

const BASE =
  'FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nENV PATH=/bin\nRUN ["/bin/busybox", "--install", "/bin"]\n';
const FILES = { busybox: readFileSync('/bin/busybox') };

interface Said {
  readonly code: number;
  readonly out: Buffer;
  readonly details: readonly string[];
  /** The kinds of messages, in order, each once. */
  readonly kinds: readonly string[];
}

/** The processes of one stream, as BuildKit's client has them. */
class Processes {
  readonly #requests = new Channel<MessageInitShape<typeof ExecMessageSchema>>();
  readonly #taken = new Map<string, { chunks: Uint8Array[]; kinds: string[]; exit?: ExecMessage }>();
  readonly #ended = new Map<string, PromiseWithResolvers<Said>>();
  readonly over: Promise<void>;
  #count = 0;

  constructor({ bridge, headers }: LookAt) {
    this.over = (async () => {
      for await (const message of bridge.execProcess(this.#requests, { headers })) this.#take(message);
    })();
    this.over.catch((error: unknown) => {
      for (const ended of this.#ended.values()) ended.reject(error);
    });
  }

  start(container: string, args: readonly string[], o: { tty?: boolean; env?: readonly string[] } = {}): string {
    const id = `${container}:${this.#count++}`;
    this.#taken.set(id, { chunks: [], kinds: [] });
    const ended = Promise.withResolvers<Said>();
    ended.promise.catch(() => undefined);
    this.#ended.set(id, ended);
    const Meta = { args: [...args], env: ['PATH=/bin', ...(o.env ?? [])], cwd: '/' };
    const value = { ContainerID: container, Meta, Fds: [0, 1, 2], Tty: o.tty ?? false };
    this.send(id, { case: 'Init', value });
    return id;
  }

  send(ProcessID: string, Input: NonNullable<MessageInitShape<typeof ExecMessageSchema>['Input']>): void {
    this.#requests.push({ ProcessID, Input });
  }

  input(id: string, Data: Uint8Array | undefined): void {
    this.send(id, { case: 'File', value: Data ? { Fd: 0, Data } : { Fd: 0, EOF: true } });
  }

  async saying(id: string, text: string): Promise<void> {
    while (!Buffer.concat(this.#taken.get(id)!.chunks).includes(text)) await new Promise((go) => setTimeout(go, 10));
  }

  ended(id: string): Promise<Said> {
    return this.#ended.get(id)!.promise;
  }

  end(): void {
    this.#requests.end();
  }

  #take(message: ExecMessage): void {
    const taken = this.#taken.get(message.ProcessID)!;
    const { Input } = message;
    if (taken.kinds.at(-1) !== Input.case) taken.kinds.push(Input.case ?? '');
    if (Input.case === 'File' && Input.value.Fd === 1) taken.chunks.push(Input.value.Data);
    if (Input.case === 'Exit') taken.exit = message;
    if (Input.case !== 'Done') return;
    const exit = taken.exit?.Input.case === 'Exit' ? taken.exit.Input.value : undefined;
    const details = (exit?.Error?.details ?? []).map(
      ({ typeUrl, value }) => `${typeUrl} ${Buffer.from(value).toString()}`,
    );
    const out = Buffer.concat(taken.chunks);
    this.#ended.get(message.ProcessID)!.resolve({ code: exit?.Code ?? -1, out, details, kinds: taken.kinds });
  }
}

let refs = 0;

async function looking(Dockerfile: string, look: (at: LookAt) => Promise<void>): Promise<unknown> {
  let looks = 0;
  const error: unknown = await buildLikeBuildx(connection, {
    ref: `look-${refs++}`,
    files: { ...FILES, Dockerfile },
    folder,
    secrets: { token: 'hush' },
    look: async (at) => {
      looks += 1;
      await look(at);
    },
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.equal(looks, 1, String(error));
  return error;
}

test('processes in what was built: bytes both ways, signals, sizes, files, until the container is given back', async () => {
  const error = await looking(`${BASE}RUN echo built >/built\n`, async (at) => {
    const { bridge, headers, ref } = at;
    assert.equal(at.error, undefined);
    const root = { dest: '/', resultID: ref };
    const cache = { dest: '/cache', mountType: MountType.CACHE, cacheOpt: { ID: 'c' } };
    const secret = { dest: '/run/token', mountType: MountType.SECRET, secretOpt: { ID: 'token', mode: 0o400 } };
    await bridge.newContainer(
      { ContainerID: 'one', Mounts: [root, cache, secret], extraHosts: [{ Host: 'far', IP: '10.1.2.3' }] },
      { headers },
    );
    await assert.rejects(bridge.newContainer({ ContainerID: 'one', Mounts: [root] }, { headers }), /already exists/);
    const it = new Processes(at);
    const first = it.start('one', ['sh', '-c', 'cat /built /run/token; grep far /etc/hosts; exec sleep 600']);
    await it.saying(first, 'far');
    const bytes = Buffer.alloc(3 << 20, Buffer.from([...Array(256).keys()]));
    const piped = it.start('one', ['cat']);
    for (let from = 0; from < bytes.length; from += 32 << 10) it.input(piped, bytes.subarray(from, from + (32 << 10)));
    it.input(piped, undefined);
    const back = await it.ended(piped);
    assert.deepEqual([back.code, back.out.equals(bytes)], [0, true]);
    assert.deepEqual(back.kinds, ['Started', 'File', 'Exit', 'Done']);
    const bad = await it.ended(it.start('one', ['sh', '-c', 'echo x >/cache/file; touch /later; exit 7']));
    assert.equal(bad.code, 7);
    assert.deepEqual(bad.details, ['github.com/moby/buildkit/gatewayapi.ExitMessage+json {"Code":7}']);
    const shell = it.start('one', ['sh'], { tty: true });
    it.send(shell, { case: 'Resize', value: { Cols: 91, Rows: 22 } });
    it.input(shell, Buffer.from('until [ "$(stty size)" = "22 91" ]; do sleep 0.1; done; exit 4\n'));
    assert.equal((await it.ended(shell)).code, 4);
    const read = await bridge.readFileContainer({ Ref: 'one', FilePath: '/file', MountIndex: 1 }, { headers });
    assert.equal(Buffer.from(read.Data).toString(), 'x\n');
    const { entries } = await bridge.readDirContainer({ Ref: 'one', DirPath: '/', IncludePattern: 'l*' }, { headers });
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['later'],
    );
    const { stat } = await bridge.statFileContainer({ Ref: 'one', Path: '/bin/sh' }, { headers });
    assert.equal((stat?.mode ?? 0) & 0o777, 0o755);
    await assert.rejects(bridge.statFileContainer({ Ref: 'one', Path: '/none' }, { headers }), /no such file/);
    const killed = it.start('one', ['sleep', '600']);
    it.send(killed, { case: 'Signal', value: { Name: 'SIGKILL' } });
    assert.equal((await it.ended(killed)).code, 137);
    await bridge.releaseContainer({ ContainerID: 'one' }, { headers });
    const cut = await it.ended(first);
    assert.equal(cut.code, 255);
    assert.equal(cut.out.toString(), 'built\nhush10.1.2.3\tfar\n');
    it.start('one', ['true']);
    await assert.rejects(it.over, /previously released or not created/);
    await assert.rejects(
      bridge.newContainer({ ContainerID: 'two', Mounts: [root], Network: 1 }, { headers }),
      /network\.host/,
    );
  });
  assert.equal(error, undefined);
});

test('a step that fails is told with refs of what it began with and what it left, for containers while the build stands', async () => {
  const script =
    'RUN --mount=type=cache,target=/c,id=kept,mode=0700 <<EOF\necho left >/left\necho in >/c/in\nexit 9\nEOF\n';
  const error = await looking(`${BASE}WORKDIR /w\n${script}`, async (at) => {
    const { bridge, headers } = at;
    assert.match(at.error?.message ?? '', /exit code: 9$/);
    const named = new Map(
      at.error?.details.map(({ typeUrl, value }) => [
        typeUrl.replace(/^.*\//, ''),
        JSON.parse(Buffer.from(value).toString()) as unknown,
      ]),
    );
    assert.ok(named.has('errdefs.Source+json') && named.has('errdefs.Vertex+json'));
    const { inputIDs, mountIDs, op } = named.get('errdefs.Solve+json') as {
      inputIDs: string[];
      mountIDs: string[];
      op: { exec: { mounts: { dest: string; selector?: string; mountType?: MountType }[]; meta: { args: string[] } } };
    };
    const { mounts } = op.exec;
    assert.deepEqual([mountIDs.length, inputIDs.length], [mounts.length, mounts.length]);
    const mountsWith = (ids: readonly string[]) =>
      mounts.map(({ dest, selector = '', mountType = MountType.BIND }, index) => ({
        dest,
        selector,
        mountType,
        resultID: ids[index] ?? '',
        ...(mountType === MountType.CACHE && { cacheOpt: { ID: 'kept' } }),
      }));
    await bridge.newContainer({ ContainerID: 'left', Mounts: mountsWith(mountIDs) }, { headers });
    await bridge.newContainer({ ContainerID: 'began', Mounts: mountsWith(inputIDs) }, { headers });
    const it = new Processes(at);
    const left = await it.ended(it.start('left', ['sh', '-c', 'cat /left /c/in; pwd']));
    assert.deepEqual([left.code, left.out.toString()], [0, 'left\nin\n/\n']);
    const began = await it.ended(it.start('began', ['sh', '-c', 'ls /left || ls -d /w']));
    assert.equal(began.out.toString(), '/w\n');
    it.end();
    await it.over;
  });
  assert.ok(error instanceof StatusError);
  assert.match(error.message, /exit code: 9$/);
});

test('a client that is gone leaves no process behind', async () => {
  const client = await daemon.connect();
  const marker = `8${process.pid}`;
  const began = Promise.withResolvers<void>();
  const building = buildLikeBuildx(client, {
    ref: 'gone',
    files: { ...FILES, Dockerfile: BASE },
    folder,
    look: async (at) => {
      await at.bridge.newContainer({ ContainerID: 'gone', Mounts: [{ dest: '/', resultID: at.ref }] }, at);
      const it = new Processes(at);
      const sleeping = it.start('gone', ['sh', '-c', `echo up; exec sleep ${marker}`]);
      await it.saying(sleeping, 'up');
      began.resolve();
      await it.over;
    },
  });
  building.catch((error: unknown) => began.reject(error));
  await began.promise;
  await client[Symbol.asyncDispose]();
  await assert.rejects(building);
  const cmdlines = (): boolean => {
    return readdirSync('/proc').some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1') === `sleep\0${marker}\0`;
      } catch {
        return false;
      }
    });
  };
  while (cmdlines()) await new Promise((go) => setTimeout(go, 20));
});
