import { unlessCancelled, type Wait } from '../../base/index.ts';
import type { Entry, FileTree, Mount } from '../../tree/index.ts';
import type { LookedAt, ProcessIo, Question, StepChannel } from '../../exec/index.ts';
import type { ActiveSnapshot, SnapshotId, View } from '../../snapshot/index.ts';
import { groundError } from './errors.ts';
import type { CacheSpec } from '../mounts/cache-mounts.ts';
import type { Ground } from './ground.ts';
import { KNOCK, STDERR, STDOUT, type Joining, type Knock } from './remote-executor.ts';
import type { Call, Handler } from './server.ts';
import {
  pick,
  rowOf,
  unpackMounts,
  unpackProcess,
  type LookAnswer,
  type Runs,
  type WireMount,
  type WireProcess,
} from './wire.ts';

/** Rows of entries in one piece of data. */
const BATCH = 2000;
/** Trees of changes that are kept, because their contents are asked for next. */
const TREES = 16;

type WireLook = Omit<LookedAt, 'mounts'> & { readonly mounts: readonly WireMount[] };

interface IdParams {
  readonly id: SnapshotId;
}

/** A ground as handlers of requests: what `RemoteSnapshotter` and `RemoteExecutor` ask for. */
export function groundHandlers(ground: Ground): Readonly<Record<string, Handler>> & AsyncDisposable {
  const { snapshotter, executor } = ground;
  const { running } = executor;
  const open = new Map<number, ActiveSnapshot | View>();
  const trees = new Map<SnapshotId, FileTree>();
  const knocks = new Knocks();
  const caches = new Map<number, AsyncDisposable>();
  let handles = 0;

  const opened = (what: ActiveSnapshot | View): { handle: number; mounts: readonly Mount[] } => {
    const handle = ++handles;
    open.set(handle, what);
    return { handle, mounts: what.mounts };
  };
  const keep = (id: SnapshotId, tree: FileTree): FileTree => {
    trees.delete(id);
    trees.set(id, tree);
    for (const oldest of trees.keys()) {
      if (trees.size <= TREES) break;
      trees.delete(oldest);
    }
    return tree;
  };
  const filesOf = async (p: IdParams & { runs: Runs }, signal: AbortSignal): Promise<[FileTree, Entry[]]> => {
    const tree = trees.get(p.id) ?? keep(p.id, await snapshotter.changes(p.id, { signal }));
    return [tree, pick(await tree.entries(), p.runs)];
  };

  const handlers: Record<string, Handler> = {
    has: (p: IdParams, { signal }) => snapshotter.has(p.id, { signal }),
    prepare: async (p: { parent?: SnapshotId }, { signal }) => opened(await snapshotter.prepare(p.parent, { signal })),
    commit: async (p: { handle: number } & IdParams, { signal }) => {
      const active = open.get(p.handle);
      if (!active || !('parent' in active))
        throw groundError('KEEPER_PROTOCOL', `commit snapshot "${p.id}": there is no active snapshot ${p.handle}`);
      await snapshotter.commit(active, p.id, { signal });
    },
    close: async (p: { handle: number }) => {
      const what = open.get(p.handle);
      open.delete(p.handle);
      await what?.[Symbol.asyncDispose]();
    },
    apply: (p: { parent?: SnapshotId; layer: { path: string } } & IdParams, { signal }) =>
      snapshotter.apply(p.parent, p.layer, p.id, { signal }),
    view: async (p: IdParams, { signal }) => opened(await snapshotter.view(p.id, { signal })),
    changes: async (p: IdParams, { signal, send }) => {
      const tree = keep(p.id, await snapshotter.changes(p.id, { signal }));
      const entries = await tree.entries();
      for (let at = 0; at < entries.length; at += BATCH)
        if (!(await send(Buffer.from(`${JSON.stringify(entries.slice(at, at + BATCH).map(rowOf))}\n`)))) return;
    },
    read: async (p: IdParams & { runs: Runs }, { signal, send }) => {
      const [tree, files] = await filesOf(p, signal);
      for await (const chunk of tree.read(files, { signal })) if (!(await send(chunk))) return;
    },
    digests: async (p: IdParams & { runs: Runs }, { signal, send }) => {
      const [tree, files] = await filesOf(p, signal);
      await send(Buffer.from((await tree.digests(files, { signal })).join('\n')));
    },
    remove: async (p: IdParams, { signal }) => {
      trees.delete(p.id);
      await snapshotter.remove(p.id, { signal });
    },
    list: (_: unknown, { signal }) => snapshotter.list({ signal }),
    usage: (p: IdParams, { signal }) => snapshotter.usage(p.id, { signal }),
    recover: (_: unknown, { signal }) => ground.recover({ signal }),
    run: (p: { process: WireProcess; root: readonly Mount[] }, call) =>
      executor.run(unpackProcess(p.process), {
        root: p.root,
        io: { ...ioOf(call), connect: (name, w) => knocks.knock(name, { call, ...w }) },
        signal: call.signal,
      }),
    connect: (p: { number: number }, call) => knocks.answer(p.number, call),
    refuse: async (p: { number: number; reason: string }) => knocks.refuse(p.number, p.reason),
    signal: (p: { id: string; signal: number }, { signal }) => running.signal(p.id, p.signal, { signal }),
    resize: (p: { id: string; size: { columns: number; rows: number } }, { signal }) =>
      running.resize(p.id, p.size, { signal }),
    listening: (p: { id: string }, { signal }) => running.listening(p.id, { signal }),
    lookInto: async (p: { at: WireLook; question: Question }, { signal, send }): Promise<LookAnswer> => {
      const looked = await executor.look(unpackMounts(p.at), p.question, { signal });
      if (looked?.content && looked.content.length > 0) await send(looked.content);
      return looked ? { rows: looked.entries.map(rowOf) } : {};
    },
    join: (p: { id: string; process: Joining }, call) =>
      running.join(p.id, p.process, { io: ioOf(call), signal: call.signal }),
    insideUsage: async (p: { id: string }, { signal }) => (await insidesOf(running).usage(p.id, { signal })) ?? null,
    insideStat: async (p: { id: string; path: string; follow: boolean }, { signal }) =>
      (await insidesOf(running).stat(p.id, p.path, { follow: p.follow, signal })) ?? null,
    insidePack: (p: { id: string; path: string; as: string; follow?: boolean }, { signal, send }) =>
      insidesOf(running).pack(p.id, p.path, { ...p, send: async (chunk) => void (await send(chunk)), signal }),
    insideUnpack: (
      p: { id: string; folder: string; owner: 'keep' | { uid: number; gid: number } },
      { signal, upload },
    ) => insidesOf(running).unpack(p.id, p.folder, { tar: upload ?? nothing(), owner: p.owner, signal }),
  };
  const { caches: store } = ground;
  Object.assign(handlers, {
    cacheTake: async (spec: CacheSpec, { signal, send }: Call) => {
      const taken = await store.take(spec, { signal, onWait: () => void send(Buffer.from('waiting')) });
      const handle = ++handles;
      caches.set(handle, taken);
      return { handle, mounts: taken.mounts };
    },
    cacheGive: async (p: { handle: number }) => {
      const taken = caches.get(p.handle);
      caches.delete(p.handle);
      await taken?.[Symbol.asyncDispose]();
    },
    cacheFind: async (spec: CacheSpec, { signal }: Call) => (await store.find(spec, { signal })) ?? null,
    cacheCopy: (p: { name: string; mounts: readonly Mount[] }, { signal }: Call) =>
      store.copyTo(p.name, p.mounts, { signal }),
    cacheList: (_: unknown, { signal }: Call) => store.list({ signal }),
    cacheRemove: (p: { name: string }, { signal }: Call) => store.remove(p.name, { signal }),
  } satisfies Record<string, Handler>);
  return Object.assign(handlers, {
    [Symbol.asyncDispose]: async () => {
      for (const what of [...open.values(), ...caches.values()]) await what[Symbol.asyncDispose]();
    },
  });
}

function insidesOf({ insides }: Ground['executor']['running']): NonNullable<typeof insides> {
  if (!insides) throw groundError('KEEPER_PROTOCOL', 'look into a process: nothing here can');
  return insides;
}

function ioOf(call: Call): ProcessIo {
  return {
    stdout: async (chunk) => void (await call.send(chunk, STDOUT)),
    stderr: async (chunk) => void (await call.send(chunk, STDERR)),
    stdin: call.upload,
  };
}

/** Connections that processes have made to their sockets and that the engine has not answered yet. */
class Knocks {
  readonly #waiting = new Map<number, PromiseWithResolvers<StepChannel>>();
  #last = 0;

  async knock(name: string, o: { readonly call: Call } & Wait): Promise<StepChannel> {
    const number = ++this.#last;
    const waiting = Promise.withResolvers<StepChannel>();
    this.#waiting.set(number, waiting);
    try {
      const knock: Knock = { number, name };
      if (!(await o.call.send(Buffer.from(JSON.stringify(knock)), KNOCK)))
        throw groundError('KEEPER_LOST', `connect to "${name}": the engine has given up`);
      return await unlessCancelled(waiting.promise, o);
    } finally {
      this.#waiting.delete(number);
    }
  }

  /** Lasts as long as the connection. */
  async answer(number: number, call: Call): Promise<void> {
    const waiting = this.#waiting.get(number);
    if (!waiting) return;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    call.signal.addEventListener('abort', () => end(), { once: true });
    waiting.resolve({
      readable: call.upload ?? nothing(),
      write: async (chunk) => {
        if (!(await call.send(chunk))) throw groundError('KEEPER_LOST', 'write to the engine: it has given up');
      },
      [Symbol.asyncDispose]: async () => end(),
    });
    await ended;
  }

  refuse(number: number, reason: string): void {
    this.#waiting.get(number)?.reject(groundError('CONNECTION_REFUSED', reason));
  }
}

async function* nothing(): AsyncIterable<Uint8Array> {}
