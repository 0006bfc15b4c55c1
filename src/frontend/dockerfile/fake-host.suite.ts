import { CodedError } from '../../base/index.ts';
import { digestOf, type Platform } from '../../blob/index.ts';
import type { LocalSource, SourceOp, State } from '../../graph/index.ts';
import type { Entry } from '../../tree/index.ts';
import type { FrontendHost, FrontendRequest, Plan, PlannedImage, Warning } from '../index.ts';
import { dockerfileFrontend } from './plan.ts';

/** Everything a frontend can ask for, in memory. */
export interface FakeWorld {
  /** Files of local sources: `dockerfile`, `context` and named ones. */
  readonly files: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;
  /** Configs of images and layouts, by canonical reference or digest. */
  readonly images?: Readonly<Record<string, object>> | undefined;
  readonly inputs?: Readonly<Record<string, State>> | undefined;
  /** Times of remote sources, in seconds, by address. */
  readonly times?: Readonly<Record<string, number>> | undefined;
}

/** A FrontendHost over a `FakeWorld` that keeps what was asked. */
export class FakeHost implements FrontendHost {
  readonly warnings: Warning[] = [];
  readonly resolved: SourceOp[] = [];
  readonly solved: LocalSource[] = [];
  readonly called: { readonly frontend: string; readonly request: FrontendRequest }[] = [];
  readonly #world: FakeWorld;

  constructor(world: FakeWorld) {
    this.#world = world;
  }

  async resolve(op: SourceOp): ReturnType<FrontendHost['resolve']> {
    this.resolved.push(op);
    const { source } = op;
    if (source.type === 'git' || source.type === 'http') return { source: op, time: this.#world.times?.[source.url] };
    const name = 'reference' in source ? source.reference : 'digest' in source ? (source.digest ?? '') : '';
    const images = this.#world.images ?? {};
    if (!Object.hasOwn(images, name)) throw fault('not_found', `${name}: not found`);
    const config = Buffer.from(JSON.stringify(images[name]));
    const digest = digestOf(config);
    if (source.type === 'packages')
      return { source: { kind: 'source', source: { ...source, lock: digest } }, digest, config };
    if (source.type !== 'image') return { source: op, digest, config };
    const reference = name.includes('@') ? name : `${name}@${digest}`;
    return { source: { kind: 'source', source: { ...source, reference } }, digest, config };
  }

  async find(op: SourceOp): ReturnType<FrontendHost['find']> {
    return this.resolve(op);
  }

  async solve(state: State): ReturnType<FrontendHost['solve']> {
    const op = state.edge?.vertex.op;
    // An archive that is unpacked: what it holds is looked up by its address, too.
    const below = op?.kind === 'file' ? state.edge?.vertex.inputs[1]?.vertex.op : undefined;
    if (below?.kind === 'source' && below.source.type === 'http') return { id: `unpacked ${below.source.url}` };
    if (op?.kind === 'source' && (op.source.type === 'git' || op.source.type === 'http')) return { id: op.source.url };
    if (op?.kind !== 'source') throw fault('internal', 'the fake host solves sources only');
    if (op.source.type !== 'local') return { id: op.source.type };
    if (!Object.hasOwn(this.#world.files, op.source.name)) throw fault('not_found', `no source "${op.source.name}"`);
    this.solved.push(op.source);
    return { id: op.source.name };
  }

  async read(ref: { readonly id: string }, path: string): Promise<Uint8Array> {
    const content = this.#world.files[ref.id]?.[path];
    if (content === undefined) throw fault('not_found', `${path}: no such file`);
    return Buffer.from(content);
  }

  /** Files at the root alone, their times their lengths. */
  async list(ref: { readonly id: string }, path: string): Promise<readonly Entry[]> {
    if (path !== '/') throw fault('not_found', `${path}: no such folder`);
    const common = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0 } as const;
    return Object.entries(this.#world.files[ref.id] ?? {}).map(([name, content]) => {
      const size = Buffer.from(content).length;
      return { ...common, path: name, size, mtime: size };
    });
  }

  stat(): never {
    throw fault('internal', 'the fake host has no metadata');
  }

  diffIds(): never {
    throw fault('internal', 'the fake host has no layers');
  }

  task<T>(_name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T> {
    return work(() => undefined);
  }

  /** One other frontend there is, and it plans nothing. */
  async call(frontend: string, request: FrontendRequest): Promise<Plan> {
    this.called.push({ frontend, request });
    if (request.options['source'] !== 'example.org/front')
      throw new CodedError({ code: 'FAKE_FRONTEND', kind: 'failed', message: 'it is broken' });
    return { results: new Map(), metadata: new Map() };
  }

  input(name: string): State | undefined {
    return this.#world.inputs?.[name];
  }

  warn(warning: Warning): void {
    this.warnings.push(warning);
  }
}

function fault(kind: 'not_found' | 'internal', message: string): CodedError {
  return new CodedError({ code: kind === 'not_found' ? 'FAKE_NOT_FOUND' : 'FAKE_WRONG', kind, message });
}

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };

const LAYER = digestOf('a layer');

/** The config of an image with one layer. */
export function imageConfig(config: object = {}, more: object = {}): object {
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['bash'], ...config },
    rootfs: { type: 'layers', diff_ids: [LAYER] },
    history: [
      { created: '2020-01-01T00:00:00Z', created_by: '/bin/sh -c #(nop) ADD file:abc in / ' },
      { created: '2020-01-01T00:00:00Z', created_by: '/bin/sh -c #(nop)  CMD ["bash"]', empty_layer: true },
    ],
    ...more,
  };
}

/** What planning one Dockerfile came to. */
export interface Planned {
  readonly plan: Plan;
  readonly image: PlannedImage;
  readonly host: FakeHost;
}

/** Plans `text` with `debian` at hand. */
export async function planText(
  text: string | Uint8Array,
  o: {
    readonly options?: FrontendRequest['options'] | undefined;
    readonly files?: Readonly<Record<string, string>> | undefined;
    readonly ignore?: string | undefined;
    readonly epoch?: number | undefined;
    readonly platforms?: readonly Platform[] | undefined;
    readonly world?: Partial<FakeWorld> | undefined;
  } = {},
): Promise<Planned> {
  const host = new FakeHost({
    times: o.world?.times,
    images: { 'docker.io/library/debian:latest': imageConfig(), ...o.world?.images },
    inputs: o.world?.inputs,
    files: {
      dockerfile: { Dockerfile: text, ...o.files },
      context: o.ignore === undefined ? {} : { '.dockerignore': o.ignore },
      ...o.world?.files,
    },
  });
  const request = { options: o.options ?? {}, platforms: o.platforms ?? [amd64], buildPlatform: amd64, epoch: o.epoch };
  const plan = await dockerfileFrontend(request, host);
  const [image] = plan.results.values();
  if (image === undefined) throw new TypeError('plan a Dockerfile: no result');
  return { plan, image, host };
}

/** The ops of a state's steps, the last first input's chain, oldest first; scratch is left out. */
export function chain(state: State): readonly { readonly op: object; readonly name: string }[] {
  const out: { op: object; name: string }[] = [];
  for (let edge = state.edge; edge !== undefined; edge = edge.vertex.inputs[0])
    if (edge.vertex.op.kind !== 'source' || edge.vertex.op.source.type !== 'scratch')
      out.unshift({ op: edge.vertex.op, name: edge.vertex.label.name });
  return out;
}

/** `created_by` of the entries that are not the base's. */
export function history({ image }: Planned): readonly string[] {
  return (image.config.history ?? []).slice(image.baseHistory).map((entry) => entry.created_by ?? entry.comment ?? '');
}
