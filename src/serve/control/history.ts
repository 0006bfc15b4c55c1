import type { Clock, Database, SqlValue } from '../../base/index.ts';
import { digestOf } from '../../blob/index.ts';
import type { Attestation } from '../../frontend/index.ts';
import { create, fromBinary, timestampFromMs, timestampMs, toBinary, type StatusError } from '../../wire/grpc/index.ts';
import {
  BuildHistoryEventType,
  BuildHistoryRecordSchema,
  StatusResponseSchema,
  type BuildHistoryRecord,
  type SolveRequest,
  type StatusResponse,
} from '../../wire/gen/buildkit/control_pb.ts';
import type { Build } from './build.ts';

const TABLES = [
  `CREATE TABLE serve_builds (ref TEXT PRIMARY KEY, at INTEGER NOT NULL, pinned INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
   CREATE TABLE serve_blobs (digest TEXT NOT NULL, ref TEXT NOT NULL REFERENCES serve_builds (ref) ON DELETE CASCADE, content BLOB NOT NULL, PRIMARY KEY (digest, ref)) STRICT;`,
];

const STATUS_TYPE = 'application/vnd.buildkit.status.v0';
const TRACE_TYPE = 'application/vnd.buildkit.otlp.json.v0';
/** BuildKit's: 50 builds, two days. */
const LIMITS = { entries: 50, age: 48 * 3600 * 1000 };

export interface HistoryEvent {
  readonly type: BuildHistoryEventType;
  readonly record: BuildHistoryRecord;
}

/** The builds on record, those that run and those that have ended: the latter stay in the store's database, bounded in number and age, but for those that are pinned. */
export class BuildRecordStore {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #limits: { readonly entries: number; readonly age: number };
  readonly #active = new Map<string, BuildHistoryRecord>();
  readonly #listeners = new Set<(event: HistoryEvent) => void>();

  constructor(
    db: Database,
    o: { clock: Clock; limits?: { readonly entries: number; readonly age: number } | undefined },
  ) {
    this.#db = db;
    this.#clock = o.clock;
    this.#limits = o.limits ?? LIMITS;
    db.migrate('serve', TABLES);
  }

  begin(request: SolveRequest, at: number): void {
    const record = create(BuildHistoryRecordSchema, {
      Ref: request.Ref,
      Frontend: request.Frontend,
      FrontendAttrs: request.FrontendAttrs,
      Exporters: request.Exporters,
      CreatedAt: timestampFromMs(at),
      Generation: 1,
    });
    this.#active.set(request.Ref, record);
    this.#tell({ type: BuildHistoryEventType.STARTED, record });
  }

  complete(
    ref: string,
    o: {
      at: number;
      build: Build;
      response: Readonly<Record<string, string>>;
      /** How each image was made, by its platform. */
      made: ReadonlyMap<string, readonly Attestation[]>;
      /** Its spans. */
      trace?: Uint8Array | undefined;
    },
  ): void {
    this.#end(ref, o, (record, blobs) => {
      record.ExporterResponse = { ...o.response };
      // What was exported lies elsewhere and cannot be read from here: a client that saves a record (`history export`) wants to read all that it names.
      const infos = [...o.made].map(([platform, attestations]) => {
        const Attestations = attestations.map((one) => this.#describe(one, blobs));
        return [platform, { Attestations }] as const;
      });
      const [only] = infos;
      if (infos.length > 1)
        record.Results = create(BuildHistoryRecordSchema, { Results: Object.fromEntries(infos) }).Results;
      else record.Result = create(BuildHistoryRecordSchema, { Result: only?.[1] ?? {} }).Result;
    });
  }

  #describe(
    { predicateType, predicate }: Attestation,
    blobs: Map<string, Uint8Array>,
  ): { mediaType: string; digest: string; size: bigint; annotations: Record<string, string> } {
    const digest = digestOf(predicate);
    blobs.set(digest, predicate);
    return {
      mediaType: 'application/vnd.in-toto+json',
      digest,
      size: BigInt(predicate.length),
      annotations: { 'in-toto.io/predicate-type': predicateType },
    };
  }

  fail(ref: string, o: { at: number; build: Build; failure: StatusError; trace?: Uint8Array | undefined }): void {
    this.#end(ref, o, (record) => {
      const { code, message } = o.failure;
      record.error = create(BuildHistoryRecordSchema, { error: { code, message } }).error;
    });
  }

  #end(
    ref: string,
    o: { at: number; build: Build; trace?: Uint8Array | undefined },
    change: (record: BuildHistoryRecord, blobs: Map<string, Uint8Array>) => void,
  ): void {
    const record = this.#active.get(ref);
    if (!record) return;
    this.#active.delete(ref);
    const { counts } = o.build.writer;
    record.CompletedAt = timestampFromMs(o.at);
    record.numTotalSteps = counts.steps;
    record.numCachedSteps = counts.cached;
    record.numCompletedSteps = counts.completed;
    record.numWarnings = counts.warnings;
    const blobs = new Map<string, Uint8Array>();
    change(record, blobs);
    const logs = encodeStory(o.build.story.all());
    const digest = digestOf(logs);
    record.logs = create(BuildHistoryRecordSchema, {
      logs: { mediaType: STATUS_TYPE, digest, size: BigInt(logs.length) },
    }).logs;
    if (o.trace) {
      const trace = { mediaType: TRACE_TYPE, digest: digestOf(o.trace), size: BigInt(o.trace.length) };
      record.trace = create(BuildHistoryRecordSchema, { trace }).trace;
      blobs.set(trace.digest, o.trace);
    }
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT OR REPLACE INTO serve_builds VALUES (?, ?, 0, ?)',
        ref,
        o.at,
        toBinary(BuildHistoryRecordSchema, record),
      );
      for (const [of, content] of [...blobs, [digest, logs] as const])
        this.#db.run('INSERT OR REPLACE INTO serve_blobs VALUES (?, ?, ?)', of, ref, content);
      this.#forget();
    });
    this.#tell({ type: BuildHistoryEventType.COMPLETE, record });
  }

  /** The oldest first; running ones last. */
  list(o: { readonly activeOnly?: boolean; readonly ref?: string } = {}): readonly HistoryEvent[] {
    const wanted = (ref: string): boolean => o.ref === undefined || o.ref === '' || o.ref === ref;
    const ended = o.activeOnly
      ? []
      : this.#db
          .all('SELECT record, pinned FROM serve_builds ORDER BY at')
          .map(({ record, pinned }) => recordOf(record, pinned))
          .filter(({ Ref }) => wanted(Ref))
          .map((record) => ({ type: BuildHistoryEventType.COMPLETE, record }));
    const active = [...this.#active.values()]
      .filter(({ Ref }) => wanted(Ref))
      .map((record) => ({ type: BuildHistoryEventType.STARTED, record }));
    return [...ended, ...active];
  }

  isActive(ref: string): boolean {
    return this.#active.has(ref);
  }

  /** What was said of a build on record; undefined for one that is not. */
  story(ref: string): readonly StatusResponse[] | undefined {
    const row = this.#db.get('SELECT record, pinned FROM serve_builds WHERE ref = ?', ref);
    if (!row) return undefined;
    const { logs } = recordOf(row['record'], row['pinned']);
    const content = logs && this.blob(logs.digest);
    return content ? decodeStory(content) : [];
  }

  blob(digest: string): Uint8Array | undefined {
    const row = this.#db.get('SELECT content FROM serve_blobs WHERE digest = ?', digest);
    return row?.['content'] instanceof Uint8Array ? row['content'] : undefined;
  }

  remove(ref: string): void {
    const [event] = this.list({ ref });
    this.#db.run('DELETE FROM serve_builds WHERE ref = ?', ref);
    if (event) this.#tell({ type: BuildHistoryEventType.DELETED, record: event.record });
  }

  /** False for a build that is not on record. */
  pin(ref: string, pinned: boolean): boolean {
    return this.#db.run('UPDATE serve_builds SET pinned = ? WHERE ref = ?', pinned ? 1 : 0, ref) > 0;
  }

  listen(listener: (event: HistoryEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #forget(): void {
    this.#db.run('DELETE FROM serve_builds WHERE pinned = 0 AND at < ?', this.#clock.now() - this.#limits.age);
    this.#db.run(
      'DELETE FROM serve_builds WHERE pinned = 0 AND ref NOT IN (SELECT ref FROM serve_builds ORDER BY at DESC LIMIT ?)',
      this.#limits.entries,
    );
  }

  #tell(event: HistoryEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function recordOf(bytes: SqlValue | undefined, pinned: SqlValue | undefined): BuildHistoryRecord {
  const record = fromBinary(BuildHistoryRecordSchema, bytes as Uint8Array);
  record.pinned = pinned === 1;
  return record;
}

/** Messages one after the other, each after its length in 4 bytes, little-endian (solver/llbsolver/history). */
function encodeStory(parts: readonly StatusResponse[]): Uint8Array {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = toBinary(StatusResponseSchema, part);
      const head = Buffer.alloc(4);
      head.writeUInt32LE(bytes.length);
      return [head, bytes];
    }),
  );
}

function decodeStory(content: Uint8Array): StatusResponse[] {
  const bytes = Buffer.from(content);
  const parts: StatusResponse[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const size = bytes.readUInt32LE(at);
    parts.push(fromBinary(StatusResponseSchema, bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return parts;
}

/** Milliseconds between begin and end of a build on record; undefined while it runs. */
export function durationOf({ CreatedAt, CompletedAt }: BuildHistoryRecord): number | undefined {
  return CreatedAt && CompletedAt ? timestampMs(CompletedAt) - timestampMs(CreatedAt) : undefined;
}
