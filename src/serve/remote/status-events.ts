import type { Clock } from '../../base/index.ts';
import type { BuildEvent } from '../../engine/index.ts';
import type { Vertex as Step } from '../../graph/index.ts';
import type { StatusResponse, Vertex, VertexStatus } from '../../wire/gen/buildkit/control_pb.ts';
import { timestampMs, type Timestamp } from '../../wire/grpc/index.ts';

interface Known {
  state: 'waiting' | 'running' | 'over';
  startedAt: number;
}

/** BuildKit's status messages as the story of a build: each step told of once, its beginnings and ends in order. */
export class StatusEvents {
  readonly #known = new Map<string, Known>();
  readonly #texts = new Set<string>();
  readonly #clock: Clock;
  readonly #stepOf: (wire: string) => Step | undefined;

  /** `stepOf`: our step by the digest that the daemon knows it by. */
  constructor(stepOf: (wire: string) => Step | undefined, clock: Clock) {
    this.#stepOf = stepOf;
    this.#clock = clock;
  }

  *take(response: StatusResponse): Iterable<BuildEvent> {
    // Of several runs within one message only the last counts: looking a step up is told of as one, too.
    const vertexes = new Map(response.vertexes.map((vertex) => [vertex.digest, vertex]));
    for (const vertex of vertexes.values()) yield* this.#begun(vertex);
    for (const status of response.statuses) yield* this.#moved(status);
    for (const { vertex, timestamp, stream, msg } of response.logs)
      yield { kind: 'log', id: vertex, at: ms(timestamp), stream: stream === 2n ? 'stderr' : 'stdout', chunk: msg };
    for (const { short, detail, url, info, ranges } of response.warnings) {
      const text = Buffer.from(short).toString();
      if (this.#texts.has(text)) continue;
      this.#texts.add(text);
      const line = ranges[0]?.start?.line;
      yield {
        kind: 'warning',
        at: this.#clock.now(),
        warning: {
          code: 'BUILDKIT',
          message: text,
          ...(detail.length > 0 && { detail: detail.map((part) => Buffer.from(part).toString()).join('\n') }),
          ...(url !== '' && { url }),
          ...(info && line !== undefined && { place: { file: info.filename, line } }),
        },
      };
    }
    for (const vertex of vertexes.values()) yield* this.#ended(vertex);
  }

  *#begun(vertex: Vertex): Iterable<BuildEvent> {
    const { digest: id, name, inputs, progressGroup } = vertex;
    let known = this.#known.get(id);
    if (!known) {
      known = { state: 'waiting', startedAt: -1 };
      this.#known.set(id, known);
      const label = this.#stepOf(id)?.label;
      const group = label?.group ?? (progressGroup?.name || undefined);
      yield {
        kind: 'vertex',
        id,
        name,
        inputs,
        group,
        internal: label?.internal ?? name.startsWith('[internal] '),
        place: label?.place,
      };
    }
    if (!vertex.started) return;
    const startedAt = precise(vertex.started);
    if (vertex.cached || known.startedAt === startedAt || known.state === 'running') return;
    known.startedAt = startedAt;
    known.state = 'running';
    yield { kind: 'started', id, at: ms(vertex.started) };
  }

  *#ended(vertex: Vertex): Iterable<BuildEvent> {
    const { digest: id, completed, error, cached } = vertex;
    const known = this.#known.get(id);
    if (!completed || !known || known.state === 'over') return;
    if (cached && error === '') {
      known.state = 'over';
      yield { kind: 'cached', id, at: ms(completed), verdict: { hit: true, by: 'recipe', record: id as never } };
      return;
    }
    if (known.state !== 'running') return;
    known.state = 'over';
    const cancelled = /(?:^|: )context canceled$/.test(error);
    yield { kind: 'completed', id, at: ms(completed), ...(error !== '' && { error, cancelled }) };
  }

  *#moved(status: VertexStatus): Iterable<BuildEvent> {
    const { vertex: id, current, total, completed } = status;
    const item = status.name || status.ID;
    const at = ms(status.timestamp ?? status.started);
    // What moves no bytes is a part of a step's work: told of when it is over.
    if (current === 0n && total === 0n) {
      if (completed) yield { kind: 'note', id, at, text: item };
      return;
    }
    const of = Number(total);
    const progress = { item, current: Number(current), unit: 'bytes', done: completed !== undefined } as const;
    yield { kind: 'progress', id, at, progress: { ...progress, ...(of > 0 && { total: of }) } };
  }
}

function ms(time: Timestamp | undefined): number {
  return time ? timestampMs(time) : 0;
}

function precise({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1e9 + nanos;
}
