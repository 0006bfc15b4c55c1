import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cancelled, CodedError, collect, systemRandom, unlessCancelled, type Clock } from '../base/index.ts';
import { MemoryBlobStore } from '../blob/index.ts';
import type { Executor, Looked, Process, ProcessIo, Question } from '../exec/index.ts';
import type { Frontend } from '../frontend/index.ts';
import { canonicalReference, openLayout, parseReference } from '../image/index.ts';
import { MemorySnapshotter, type MemoryTree } from '../snapshot/index.ts';
import { folderSource, type Entry } from '../tree/index.ts';
import { CacheFolders } from '../worker/mounts/cache-folders.ts';
import type { BuildHost, Credential, Ground, Sink } from '../worker/index.ts';
import { openEngine } from './create.ts';
import type { BuildEvent, BuildRequest, BuildResult, Engine, ExportRequest, ImageMetadata } from './index.ts';

/** The real clock, which can be put forward. */
export class MovableClock implements Clock {
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  advance(ms: number): void {
    this.#ahead += ms;
  }
}

export interface RigOptions {
  /** A store that another rig made and left. */
  readonly root?: string | undefined;
  readonly snapshotter?: MemorySnapshotter | undefined;
  readonly credential?: Credential | undefined;
  readonly frontends?: Readonly<Record<string, Frontend>> | undefined;
}

export interface BuildOptions {
  /** `dockerfile` by default. */
  readonly frontend?: string | undefined;
  readonly exports?: readonly ExportRequest[] | undefined;
  /** Names in the local store, where `exports` are not given. */
  readonly names?: readonly string[] | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly allow?: readonly string[] | undefined;
  readonly epoch?: number | undefined;
  readonly annotations?: ImageMetadata['annotations'] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Further folders that are offered. */
  readonly folders?: Readonly<Record<string, Files>> | undefined;
  readonly credential?: Credential | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly platforms?: BuildRequest['platforms'] | undefined;
  readonly cacheFrom?: BuildRequest['cacheFrom'];
  readonly cacheTo?: BuildRequest['cacheTo'];
  readonly failed?: BuildHost['failed'];
  readonly objects?: BuildHost['objects'];
  readonly squash?: boolean | undefined;
  readonly leaveOut?: readonly string[] | undefined;
  readonly project?: BuildRequest['project'];
  readonly sourcePolicies?: BuildRequest['sourcePolicies'];
  readonly onEvent?: ((event: BuildEvent) => void) | undefined;
}

export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface Built {
  readonly events: readonly BuildEvent[];
  readonly result: BuildResult | undefined;
  readonly error: unknown;
  /** Image ID of the only image. */
  readonly id: string | undefined;
  /** Names of the steps that ran, the machinery's own left out. */
  readonly ran: readonly string[];
  /** What they said. */
  readonly log: string;
  readonly warnings: readonly string[];
}

/**
 * An engine on a folder of its own whose steps run in memory: no root, no mounts. Steps are lines of a small language: `write FILE TEXT…`, `append`, `rm FILE`, `mkdir FOLDER`, `cat FILE`, `ssh-add -l`, `echo TEXT…`, `fill BYTES`, `random FILE`,
 * `id`, `env`, `input`, `wait GATE`, `full`, `exit N`.
 */
export class EngineRig implements AsyncDisposable {
  readonly engine: Engine;
  readonly root: string;
  readonly clock: MovableClock;
  readonly ground: FakeGround;
  /** What content stores of the asking side have, for sinks and stores whose name begins with `blobs-`. */
  readonly blobs = new MemoryBlobStore();
  /** What was said of the outputs of streams. */
  readonly said = new Map<string, Readonly<Record<string, string>> | undefined>();
  /** Trees written elsewhere, for sinks whose name begins with `tree-`: paths of files and their contents. */
  readonly trees = new Map<string, Readonly<Record<string, string>>>();
  /** Outputs of streams, by the name of their sink. */
  readonly streams = new Map<string, Buffer>();
  readonly #folder: string;
  readonly #o: RigOptions;
  #contexts = 0;

  private constructor(parts: {
    engine: Engine;
    root: string;
    clock: MovableClock;
    ground: FakeGround;
    folder: string;
    o: RigOptions;
  }) {
    this.engine = parts.engine;
    this.root = parts.root;
    this.clock = parts.clock;
    this.ground = parts.ground;
    this.#folder = parts.folder;
    this.#o = parts.o;
  }

  static async open(o: RigOptions = {}): Promise<EngineRig> {
    const folder = mkdtempSync(join(tmpdir(), 'strake-engine-'));
    const root = o.root ?? join(folder, 'store');
    const clock = new MovableClock();
    const ground = new FakeGround(o.snapshotter ?? new MemorySnapshotter({ clock }), clock);
    const engine = await openEngine({
      root,
      keeper: { command: '/nonexistent', args: [] },
      bases: { apt: () => Promise.reject(new Error('no apt here')), named: new Map() },
      clock,
      frontends: o.frontends,
      openGround: async () => ground.open(root),
    });
    return new EngineRig({ engine, root, clock, ground, folder, o });
  }

  /** A folder on disk with these files. */
  folder(files: Files): string {
    const folder = join(this.#folder, `context-${this.#contexts++}`);
    mkdirSync(folder);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return folder;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Builds with these files as the context, the Dockerfile among them. Errors are given, not thrown. */
  async build(files: Files, o: BuildOptions = {}): Promise<Built> {
    const events: BuildEvent[] = [];
    let error: unknown;
    try {
      for await (const event of this.engine.build(requestOf(o), this.host(files, o), { signal: o.signal })) {
        events.push(event);
        o.onEvent?.(event);
      }
    } catch (thrown) {
      error = thrown;
    }
    return summary(events, error);
  }

  host(
    files: Files,
    o: Pick<BuildOptions, 'folders' | 'credential' | 'secrets' | 'failed' | 'objects'> = {},
  ): BuildHost {
    const folder = this.folder(files);
    const folders = new Map([
      ['context', folder],
      ['dockerfile', folder],
      ...Object.entries(o.folders ?? {}).map(([name, more]): [string, string] => [name, this.folder(more)]),
    ]);
    const refuse = (): never => {
      throw new Error('not offered');
    };
    return {
      files: (name) => folderSource(folders.get(name) ?? refuse()),
      secret: async (id) => {
        const value = o.secrets?.[id];
        return value === undefined ? undefined : Buffer.from(value);
      },
      agent: refuse,
      credentials: async () => o.credential ?? this.#o.credential,
      // Layouts of this rig's or another's folder, by their path.
      blobs: (path) => openLayout(path).blobs,
      sink: (name) => this.#sink(name),
      ...(o.failed ? { failed: o.failed } : {}),
      ...(o.objects ? { objects: o.objects } : {}),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #sink(name: string): Sink {
    if (name.startsWith('folder-')) return { kind: 'folder', path: this.path(name) };
    if (name.startsWith('blobs-')) return { kind: 'blobs', store: this.blobs };
    if (name.startsWith('tree-'))
      return {
        kind: 'tree',
        write: async (tree, w) => {
          const files: Record<string, string> = {};
          for (const entry of await tree.entries(w))
            if (entry.type === 'file') files[entry.path] = Buffer.from(await collect(tree.read([entry], w))).toString();
          this.trees.set(name, files);
        },
      };
    return {
      kind: 'stream',
      open: async (metadata) => {
        this.said.set(name, metadata);
        const chunks: Buffer[] = [];
        return {
          write: async (chunk) => void chunks.push(Buffer.from(chunk)),
          close: async () => void this.streams.set(name, Buffer.concat(chunks)),
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    };
  }
}

function requestOf(o: BuildOptions): BuildRequest & ImageMetadata {
  return {
    frontend: o.frontend ?? 'dockerfile',
    options: o.options ?? {},
    platforms: o.platforms ?? [],
    exports: o.exports ?? [
      { type: 'store', names: (o.names ?? []).map((name) => canonicalReference(parseReference(name))) },
    ],
    allow: o.allow ?? [],
    epoch: o.epoch,
    annotations: o.annotations ?? [],
    cacheFrom: o.cacheFrom,
    cacheTo: o.cacheTo,
    squash: o.squash,
    leaveOut: o.leaveOut,
    project: o.project,
    sourcePolicies: o.sourcePolicies,
  };
}

function summary(events: readonly BuildEvent[], error: unknown): Built {
  const vertices = new Map(events.flatMap((event) => (event.kind === 'vertex' ? [[event.id, event] as const] : [])));
  const result = events.flatMap((event) => (event.kind === 'result' ? [event.result] : []))[0];
  const ran = events.flatMap((event) => {
    const vertex = event.kind === 'started' ? vertices.get(event.id) : undefined;
    return vertex &&
      !vertex.internal &&
      !/^export|FROM |load from client/.test(event.kind === 'started' ? vertex.id + vertex.name : '')
      ? [vertex.name]
      : [];
  });
  const log = events.flatMap((event) => (event.kind === 'log' ? [Buffer.from(event.chunk).toString()] : [])).join('');
  const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.warning.message] : []));
  return { events, result, error, id: result?.images[0]?.imageId, ran, log, warnings };
}

type FakeProcess = Pick<Process, 'id' | 'args' | 'env' | 'secretEnv' | 'user'> & Partial<Pick<Process, 'mounts'>>;

interface FakeRun {
  readonly io: ProcessIo;
  readonly signal?: AbortSignal | undefined;
  readonly tree: MemoryTree;
  /** Of the process that this one has joined. */
  readonly within?: AbortSignal | undefined;
}

/** A ground in memory, and what happened on it. */
export class FakeGround {
  readonly snapshotter: MemorySnapshotter;
  /** Every command that ran, in order. */
  readonly commands: string[] = [];
  /** Processes that run now. */
  readonly running = new Set<string>();
  opened = 0;
  readonly #clock: Clock;
  /** What terminals were told. */
  readonly sizes: string[] = [];
  readonly #live = new Map<string, { readonly tree: MemoryTree; readonly ending: AbortController }>();
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #reached = new Map<string, PromiseWithResolvers<void>>();

  constructor(snapshotter: MemorySnapshotter, clock: Clock) {
    this.snapshotter = snapshotter;
    this.#clock = clock;
  }

  /** Lets every `wait GATE`, also later ones, go on. */
  pass(gate: string): void {
    this.#gate(this.#gates, gate).resolve();
  }

  /** Settles when a step has come to `wait GATE`. */
  reached(gate: string): Promise<void> {
    return this.#gate(this.#reached, gate).promise;
  }

  open(root: string): Ground {
    this.opened += 1;
    mkdirSync(join(root, 'ground'), { recursive: true });
    const lacks: string[] = [];
    const executor: Executor = {
      report: {
        name: 'memory',
        seccomp: false,
        devicesCgroup: false,
        capabilities: false,
        ids: 'root',
        network: 'host',
        networks: ['default'],
        lacks,
      },
      running: {
        signal: async (id, signal) => {
          const live = this.#live.get(id);
          if (!live) return 'absent';
          if (signal !== 0) live.ending.abort(signal);
          return 'sent';
        },
        resize: async (id, { columns, rows }) => void this.sizes.push(`${columns}x${rows}`),
        listening: async () => [],
        join: (id, process, o) => {
          const first = this.#live.get(id);
          if (!first) throw new CodedError({ code: 'PROCESS_ABSENT', kind: 'not_found', message: 'it does not run' });
          return this.#process(process, { ...o, tree: first.tree, within: first.ending.signal });
        },
      },
      run: (process, o) => this.#process(process, { ...o, tree: this.snapshotter.treeOf(o.root) }),
      look: async ({ root }, { kind, path }) => lookInMemory(this.snapshotter.treeOf(root), { kind, path }),
    };
    return {
      name: 'memory',
      snapshotter: this.snapshotter,
      executor,
      caches: new CacheFolders({
        folder: join(root, 'ground/caches'),
        clock: this.#clock,
        random: systemRandom,
        idMapStamp: 'memory',
      }),
      report: { as: 'root', ids: 'root', snapshotter: 'memory', executor: 'memory', lacks },
      recover: async () => 0,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  /** A process that signals reach; one that joined another ends with it. */
  async #process(process: FakeProcess, o: FakeRun): Promise<number> {
    const ending = new AbortController();
    const { tree, within } = o;
    this.running.add(process.id);
    this.#live.set(process.id, { tree, ending });
    try {
      const signal = AbortSignal.any([ending.signal, ...(o.signal ? [o.signal] : []), ...(within ? [within] : [])]);
      return await this.#run(process, tree, { ...o, signal });
    } catch (error) {
      if (o.signal?.aborted !== true && ending.signal.aborted) return 128 + Number(ending.signal.reason);
      if (o.signal?.aborted !== true && within?.aborted === true) return 137;
      throw error;
    } finally {
      ending.abort(9);
      this.running.delete(process.id);
      this.#live.delete(process.id);
    }
  }

  async #run(process: FakeProcess, tree: MemoryTree, o: FakeRun): Promise<number> {
    const say = async (text: string): Promise<void> => o.io.stdout(Buffer.from(text));
    const script = process.args.at(-1) ?? '';
    for (const line of script.split(/&&|;|\n/).map((part) => part.trim())) {
      if (line === '') continue;
      if (o.signal?.aborted) throw cancelled(o.signal.reason);
      this.commands.push(line);
      const [command, first = '', ...rest] = line.split(/\s+/);
      const path = first.replace(/^\/+/, '');
      const old = tree.get(path);
      switch (command) {
        case 'echo':
          await say(`${[first, ...rest].join(' ')}\n`);
          break;
        case 'fill':
          await say('x'.repeat(Number(first)));
          break;
        case 'write':
        case 'append': {
          const content = rest.join(' ');
          tree.write(
            path,
            command === 'append' ? Buffer.concat([old?.content ?? Buffer.alloc(0), Buffer.from(content)]) : content,
          );
          touch(tree, path);
          break;
        }
        case 'random':
          tree.write(path, systemRandom.hex(16));
          touch(tree, path);
          break;
        case 'rm':
          tree.remove(path);
          break;
        case 'mkdir':
          tree.mkdir(path);
          touch(tree, path);
          break;
        case 'cat': {
          const mounted = process.mounts?.find(({ type, target }) => type === 'file' && target === first);
          if (mounted?.type === 'file') {
            await say(`${Buffer.from(mounted.content).toString()}\n`);
            break;
          }
          if (old?.type !== 'file') {
            await o.io.stderr(Buffer.from(`cat: ${first}: No such file\n`));
            return 1;
          }
          await say(`${Buffer.from(old.content).toString()}\n`);
          break;
        }
        case 'ssh-add': {
          const socket = process.mounts?.find(({ type }) => type === 'socket');
          if (socket?.type !== 'socket' || !o.io.connect) return 2;
          await using agent = await o.io.connect(socket.name, o);
          await agent.write(Buffer.of(0, 0, 0, 1, 11));
          for await (const chunk of agent.readable) {
            await say(
              `${Buffer.from(chunk)
                .toString('latin1')
                .replaceAll(/[^ -~]+/g, ' ')}\n`,
            );
            break;
          }
          break;
        }
        case 'id':
          await say(`${process.user.uid}:${process.user.gid}:${process.user.additionalGids.join(',')}\n`);
          break;
        case 'input':
          for await (const chunk of o.io.stdin ?? []) await o.io.stdout(chunk);
          break;
        case 'env':
          await say(`${[...process.env, ...(process.secretEnv ?? [])].join(' ')}\n`);
          break;
        case 'wait':
          this.#gate(this.#reached, first).resolve();
          await unlessCancelled(this.#gate(this.#gates, first).promise, o);
          break;
        case 'full':
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        case 'exit':
          return Number(first);
        default:
          await o.io.stderr(Buffer.from(`sh: ${command}: not found\n`));
          return 127;
      }
    }
    return 0;
  }

  #gate(gates: Map<string, PromiseWithResolvers<void>>, name: string): PromiseWithResolvers<void> {
    const gate = gates.get(name) ?? Promise.withResolvers<void>();
    gates.set(name, gate);
    return gate;
  }
}

function lookInMemory(tree: MemoryTree, { kind, path }: Pick<Question, 'kind' | 'path'>): Looked | undefined {
  const name = path.split('/').filter(Boolean).join('/');
  const entry = (at: string): Entry => {
    const { type, mode, uid, gid, content, link } = tree.get(at)!;
    const size = content.length;
    return { path: at.split('/').at(-1)!, type, mode, uid, gid, size, mtime: 0, mtimeNs: 0, ...(link ? { link } : {}) };
  };
  const found = tree.get(name);
  if (!found) return undefined;
  if (kind === 'read') return { entries: [], content: found.content };
  if (kind === 'stat') return { entries: [entry(name)] };
  return { entries: tree.names(name).map((child) => entry(name === '' ? child : `${name}/${child}`)) };
}

function touch(tree: MemoryTree, path: string): void {
  const file = tree.get(path);
  if (file) file.mtime = BigInt(Date.now()) * 1_000_000n;
}
