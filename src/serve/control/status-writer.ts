import { digestOf } from '../../blob/index.ts';
import type { BuildEvent } from '../../engine/index.ts';
import { rangesOf, sourceInfoOf } from '../../gateway/index.ts';
import { create, timestampFromMs } from '../../wire/grpc/index.ts';
import {
  StatusResponseSchema,
  VertexLogSchema,
  VertexSchema,
  VertexStatusSchema,
  VertexWarningSchema,
  type Vertex,
  type VertexStatus,
} from '../../wire/gen/buildkit/control_pb.ts';
import type { Story } from './story.ts';

/** Bytes of a step's log that are told (BuildKit's BUILDKIT_STEP_LOG_MAX_SIZE). */
const LOG_LIMIT = 2 << 20;
/** How often progress of one item is told. */
const PROGRESS_MS = 100;

/** A build's events in BuildKit's words. A vertex that came in a client's definition goes by the digests that the client knows it by. */
export class StatusWriter {
  readonly #story: Story;
  readonly #wireOf: (id: string) => readonly string[];
  readonly #vertices = new Map<string, Vertex[]>();
  readonly #logged = new Map<string, number>();
  readonly #told = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  /** Progress that has not ended, by vertex. */
  readonly #open = new Map<string, Map<string, VertexStatus>>();
  /** For the record of the build. */
  readonly counts = { steps: 0, cached: 0, completed: 0, warnings: 0 };

  constructor(story: Story, wireOf: (id: string) => readonly string[]) {
    this.#story = story;
    this.#wireOf = wireOf;
  }

  tell(event: BuildEvent): void {
    switch (event.kind) {
      case 'vertex':
        this.#vertex(event);
        break;
      case 'started':
        this.#update(event.id, { started: timestampFromMs(event.at) });
        break;
      case 'cached':
        this.counts.cached += 1;
        this.counts.completed += 1;
        this.#update(event.id, {
          cached: true,
          started: timestampFromMs(event.at),
          completed: timestampFromMs(event.at),
        });
        break;
      case 'completed':
        this.#close(event.id, event.at);
        if (event.error === undefined) this.counts.completed += 1;
        this.#update(event.id, {
          completed: timestampFromMs(event.at),
          error: event.cancelled ? 'context canceled' : (event.error ?? ''),
        });
        break;
      case 'log':
        this.#log(event);
        break;
      case 'progress':
        this.#progress(event);
        break;
      case 'note':
        this.#note(event);
        break;
      case 'warning':
        this.#warning(event);
        break;
      default:
    }
  }

  say(part: Parameters<typeof create<typeof StatusResponseSchema>>[1]): void {
    this.#story.say(create(StatusResponseSchema, part));
  }

  /** A remark of the server's own. */
  warn(text: string): void {
    this.counts.warnings += 1;
    this.say({
      warnings: [
        create(VertexWarningSchema, { vertex: digestOf(Buffer.from('server')), level: 1n, short: Buffer.from(text) }),
      ],
    });
  }

  /** The digests that a client knows a step by. */
  digests(id: string): readonly string[] {
    const wire = this.#wireOf(id);
    if (wire.length > 0) return wire;
    return [id.startsWith('sha256:') ? id : digestOf(Buffer.from(id))];
  }

  #vertex(event: Extract<BuildEvent, { kind: 'vertex' }>): void {
    const known = this.#vertices.get(event.id);
    if (!known) this.counts.steps += 1;
    const inputs = event.inputs.flatMap((id) => this.digests(id).slice(0, 1));
    const internal = event.internal === true && !event.name.startsWith('[') ? '[internal] ' : '';
    const vertices = this.digests(event.id).map((digest, at) => {
      const before = known?.[at];
      const vertex = before ?? create(VertexSchema, { digest });
      return Object.assign(vertex, { inputs, name: `${internal}${event.name}` });
    });
    this.#vertices.set(event.id, vertices);
    this.say({ vertexes: vertices.map((vertex) => ({ ...vertex })) });
  }

  #update(id: string, change: Partial<Vertex>): void {
    const vertices = this.#vertices.get(id);
    if (!vertices) return;
    for (const vertex of vertices) Object.assign(vertex, change);
    this.say({ vertexes: vertices.map((vertex) => ({ ...vertex })) });
  }

  #log(event: Extract<BuildEvent, { kind: 'log' }>): void {
    const before = this.#logged.get(event.id) ?? 0;
    if (before > LOG_LIMIT) return;
    this.#logged.set(event.id, before + event.chunk.length);
    const over = before + event.chunk.length > LOG_LIMIT;
    const msg = over
      ? Buffer.concat([
          event.chunk.subarray(0, Math.max(0, LOG_LIMIT - before)),
          Buffer.from(`\n[output clipped, log limit ${LOG_LIMIT >> 20}MiB reached]\n`),
        ])
      : event.chunk;
    this.say({
      logs: this.digests(event.id).map((vertex) =>
        create(VertexLogSchema, {
          vertex,
          timestamp: timestampFromMs(event.at),
          stream: event.stream === 'stderr' ? 2n : 1n,
          msg,
        }),
      ),
    });
  }

  #progress({ id, at, progress }: Extract<BuildEvent, { kind: 'progress' }>): void {
    const key = `${id}\n${progress.item}`;
    const done = progress.done === true;
    const last = this.#told.get(key);
    const quiet = !done && last !== undefined && at - last < PROGRESS_MS;
    if (!quiet) this.#told.set(key, at);
    const begun = this.#begun.get(key) ?? at;
    this.#begun.set(key, begun);
    const open = this.#open.get(id) ?? new Map<string, VertexStatus>();
    this.#open.set(id, open);
    for (const vertex of this.digests(id)) {
      const status = create(VertexStatusSchema, {
        ID: progress.item,
        name: progress.item,
        vertex,
        current: BigInt(Math.trunc(progress.current)),
        total: BigInt(Math.trunc(progress.total ?? 0)),
        timestamp: timestampFromMs(at),
        started: timestampFromMs(begun),
        ...(done && { completed: timestampFromMs(at) }),
      });
      if (done) open.delete(`${vertex}\n${progress.item}`);
      else open.set(`${vertex}\n${progress.item}`, status);
      if (!quiet) this.say({ statuses: [status] });
    }
  }

  /** What of a vertex's progress is open ends with it. */
  #close(id: string, at: number): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    for (const status of open?.values() ?? [])
      this.say({ statuses: [{ ...status, timestamp: timestampFromMs(at), completed: timestampFromMs(at) }] });
  }

  #note({ id, at, text }: Extract<BuildEvent, { kind: 'note' }>): void {
    for (const vertex of this.digests(id))
      this.say({
        statuses: [
          create(VertexStatusSchema, {
            ID: text,
            name: text,
            vertex,
            timestamp: timestampFromMs(at),
            started: timestampFromMs(at),
            completed: timestampFromMs(at),
          }),
        ],
      });
  }

  #warning({ warning }: Extract<BuildEvent, { kind: 'warning' }>): void {
    this.counts.warnings += 1;
    const { place } = warning;
    const [last] = this.#vertices.values();
    this.say({
      warnings: [
        create(VertexWarningSchema, {
          vertex: last?.[0]?.digest ?? digestOf(Buffer.from('warnings')),
          level: 1n,
          short: Buffer.from(
            `${warning.code === '' ? '' : `${warning.code}: `}${warning.message}${place === undefined ? '' : ` (line ${place.line})`}`,
          ),
          detail: warning.detail === undefined ? [] : [Buffer.from(warning.detail)],
          url: warning.url ?? '',
          ...(place && { info: sourceInfoOf(place), ranges: rangesOf(place) }),
        }),
      ],
    });
  }
}
