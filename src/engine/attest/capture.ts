import { redactUrl, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import type { ExecOp, SourceOp, State, Vertex } from '../../graph/index.ts';
import { formatPlatform, parseReference } from '../../image/index.ts';
import type { BuildSources, NamedNeed } from '../../supply/index.ts';
import type { Asked } from '../frontend-host.ts';

/** What a build takes from outside. */
export interface Capture {
  readonly sources: BuildSources;
  readonly secrets: readonly NamedNeed[];
  readonly ssh: readonly NamedNeed[];
  readonly networked: boolean;
}

/** Pins a source that the graph does not: asked in the build's session, so that the answer is the one its steps got. */
export type Pin = (source: SourceOp, w?: Wait) => Promise<SourceOp>;

/** What stands in the graph of a result, and in what the frontend solved and asked for on the way to it. Each source once, sorted by name. */
export async function capture(
  roots: readonly State[],
  o: {
    readonly asked: Asked;
    /** Of the request, for the names of what the asking side offers. */
    readonly options: Readonly<Record<string, string>>;
    readonly platform: string;
    readonly pin: Pin;
    /** What the build's policy makes of a source. */
    readonly vet?: ((source: SourceOp) => Promise<SourceOp>) | undefined;
  } & Wait,
): Promise<Capture> {
  const vet = o.vet ?? (async (source: SourceOp) => source);
  const capturing = new Capturing(o.options);
  await capturing.images(o.asked, { platform: o.platform, vet });
  for (const vertex of verticesOf([...roots, ...o.asked.solved])) {
    if (vertex.op.kind === 'source') await capturing.source(await vet(vertex.op), o.pin, o);
    else if (vertex.op.kind === 'exec') capturing.exec(vertex.op);
  }
  return capturing.capture();
}

/** Every vertex below these, each once. */
export function* verticesOf(states: readonly State[]): Iterable<Vertex> {
  const seen = new Set<Digest>();
  const stack = states.flatMap(({ edge }) => (edge ? [edge.vertex] : []));
  for (let vertex = stack.pop(); vertex; vertex = stack.pop()) {
    if (seen.has(vertex.digest)) continue;
    seen.add(vertex.digest);
    yield vertex;
    stack.push(...vertex.inputs.map((input) => input.vertex));
  }
}

type Image = BuildSources['images'][number];

/** Repositories that an ssh agent opens. */
const SSH_REMOTE = /^(?:(?:git\+)?ssh:\/\/|[^/:]+@[^/:]+:)/;

class Capturing {
  readonly #options: Readonly<Record<string, string>>;
  /** What pinned references were asked for as. */
  readonly #asked = new Map<string, string>();
  readonly #images = new Map<string, Image>();
  readonly #git = new Map<string, string>();
  readonly #http = new Map<string, Digest>();
  readonly #local = new Set<string>();
  readonly #secrets = new Map<string, boolean>();
  readonly #ssh = new Map<string, boolean>();
  #networked = false;

  constructor(options: Readonly<Record<string, string>>) {
    this.#options = options;
  }

  /** Images that the frontend asked about for this platform: also those of which no file is used. */
  async images(
    { resolved }: Asked,
    o: { readonly platform: string; readonly vet: (source: SourceOp) => Promise<SourceOp> },
  ): Promise<void> {
    for (const [key, resolving] of resolved) {
      const found = await resolving.catch(() => undefined);
      if (!found) continue;
      const { source } = await o.vet(JSON.parse(key) as SourceOp);
      const pinned = found?.source.source;
      if ((source.type !== 'image' && source.type !== 'packages') || pinned?.type !== source.type) continue;
      if (pinned.type === 'image') this.#asked.set(pinned.reference, source.reference);
      if (formatPlatform(source.platform) === o.platform)
        this.#image({ name: source.reference, platform: source.platform, digest: found?.digest });
    }
  }

  async source(op: SourceOp, pin: Pin, w: Wait): Promise<void> {
    const { source } = op;
    switch (source.type) {
      case 'image': {
        const { reference, platform } = source;
        const name = this.#asked.get(reference) ?? reference;
        const { digest } = parseReference(reference);
        return this.#image({ name, platform, digest });
      }
      case 'packages':
        return this.#image({ name: source.reference, platform: source.platform, digest: source.lock });
      case 'oci-layout': {
        const name = layoutName(source.store);
        return this.#image({ name, platform: source.platform, digest: source.digest, local: true });
      }
      case 'local':
        this.#local.add(this.#localName(source.name));
        return;
      case 'archive':
        this.#local.add('context');
        return;
      case 'git': {
        const pinned = source.commit === undefined ? (await pin(op, w)).source : source;
        const commit = pinned.type === 'git' ? pinned.commit : undefined;
        const url = redactUrl(source.url) + (source.ref === undefined ? '' : `#${source.ref}`);
        if (commit !== undefined) this.#git.set(url, commit);
        const { token, header } = source.auth ?? { token: 'GIT_AUTH_TOKEN', header: 'GIT_AUTH_HEADER' };
        for (const id of [token, header]) if (id !== undefined) need(this.#secrets, id, true);
        if (SSH_REMOTE.test(source.url)) need(this.#ssh, source.agent ?? 'default', true);
        return;
      }
      case 'http': {
        const pinned = source.checksum === undefined ? (await pin(op, w)).source : source;
        const digest = pinned.type === 'http' ? pinned.checksum : undefined;
        if (digest !== undefined) this.#http.set(redactUrl(source.url), digest);
        return;
      }
      default:
    }
  }

  exec({ mounts, network }: ExecOp): void {
    if (network !== 'none') this.#networked = true;
    for (const mount of mounts)
      if (mount.type === 'secret') need(this.#secrets, mount.id, !mount.required);
      else if (mount.type === 'ssh') need(this.#ssh, mount.id, !mount.required);
  }

  capture(): Capture {
    return {
      sources: {
        images: sorted(this.#images, ({ name }) => name),
        git: [...this.#git].map(([url, commit]) => ({ url, commit })).sort(by(({ url }) => url)),
        http: [...this.#http].map(([url, digest]) => ({ url, digest })).sort(by(({ url }) => url)),
        local: [...this.#local].sort(),
      },
      secrets: needs(this.#secrets),
      ssh: needs(this.#ssh),
      networked: this.#networked,
    };
  }

  #image(image: Image): void {
    const key = `${image.name} ${formatPlatform(image.platform)}`;
    if (!this.#images.has(key)) this.#images.set(key, image);
  }

  /** Doors give folders names of their own; what a folder is to the build is one of two. */
  #localName(name: string): string {
    if (name === this.#options['contextkey']) return 'context';
    return name === this.#options['dockerfilekey'] ? 'dockerfile' : name;
  }
}

/** A layout is known by the name that the asking side gave it, which may be a path. */
function layoutName(store: string): string {
  const name = store.split('/').at(-1) ?? '';
  return /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(name) ? name : 'layout';
}

function need(all: Map<string, boolean>, id: string, optional: boolean): void {
  all.set(id, (all.get(id) ?? true) && optional);
}

function needs(all: ReadonlyMap<string, boolean>): readonly NamedNeed[] {
  return [...all].map(([id, optional]) => ({ id, optional })).sort(by(({ id }) => id));
}

function sorted<T>(all: ReadonlyMap<string, T>, key: (one: T) => string): readonly T[] {
  return [...all.values()].sort(by(key));
}

function by<T>(key: (one: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b)));
}
