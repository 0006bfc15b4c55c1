import { canonicalJson, type Database, type Row } from '../../base/index.ts';
import { digestOf, type Digest } from '../../blob/index.ts';
import { compareMembers, membersOf, type MemberChanges } from './member-list.ts';
import type { TracedStep } from './traced-step.ts';
import type { KeyPart } from '../types.ts';

/** What makes two builds builds of one thing: the context, the Dockerfile, the target, the platform. Plain texts by name. */
export type Project = Readonly<Record<string, string>>;

export type BuildOutcome = 'done' | 'failed' | 'cancelled';

export interface BuildSummary {
  readonly id: number;
  readonly project: Project;
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds. */
  readonly took: number;
  readonly outcome: BuildOutcome;
  /** The build it was compared with. */
  readonly previous?: number | undefined;
}

/** A build on record. */
export interface RecordedBuild extends BuildSummary {
  /** Of all that tells it from another build of the project. */
  readonly fingerprint: Digest;
  readonly steps: readonly TracedStep[];
}

/** A piece of a list of members, in memory or on record. */
export interface Piece {
  readonly name: string;
  readonly bytes: () => Uint8Array;
}

/** A step as it is written: parts that are variables, which most steps of a stage have in common, stand in a piece. */
type StepRow = Omit<TracedStep, 'parts'> & { readonly parts: readonly KeyPart[]; readonly variables?: number };

const MIGRATIONS = [
  `CREATE TABLE builds (id INTEGER PRIMARY KEY, project TEXT NOT NULL, turn INTEGER NOT NULL, at INTEGER NOT NULL, took INTEGER NOT NULL, outcome TEXT NOT NULL, previous INTEGER, fingerprint TEXT NOT NULL, steps TEXT NOT NULL) STRICT;
   CREATE INDEX builds_by_project ON builds (project, turn);
   CREATE INDEX builds_by_turn ON builds (turn);
   CREATE TABLE build_pieces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;
   CREATE TABLE build_uses (build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE, piece INTEGER NOT NULL REFERENCES build_pieces (id), PRIMARY KEY (build, piece)) STRICT, WITHOUT ROWID;
   CREATE INDEX build_uses_by_piece ON build_uses (piece);`,
];

/** Builds kept of one project, and of all. */
const KEPT = 3;
const KEPT_IN_ALL = 300;
const NEXT_TURN = '(SELECT coalesce(max(turn), 0) + 1 FROM builds)';

/**
 * The last builds of each project, with what the keys of their steps were made of. What they have in common is kept once: pieces of the lists of what copies read, sets of variables. Never a secret: parts of keys hold none.
 */
export class BuildHistory {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    db.migrate('history', MIGRATIONS);
  }

  /** The latest build of a project. */
  last(project: Project): RecordedBuild | undefined {
    const row = this.#db.get(
      'SELECT * FROM builds WHERE project = ? ORDER BY turn DESC LIMIT 1',
      canonicalJson(project),
    );
    return row && this.#toBuild(row);
  }

  get(id: number): RecordedBuild | undefined {
    const row = this.#db.get('SELECT * FROM builds WHERE id = ?', id);
    return row && this.#toBuild(row);
  }

  /** All builds, the latest first. */
  list(): readonly BuildSummary[] {
    return this.#db
      .all('SELECT id, project, at, took, outcome, previous FROM builds ORDER BY turn DESC')
      .map(toSummary);
  }

  /** The pieces of a list of members. */
  piecesOf(list: Digest): readonly Piece[] | undefined {
    return this.#pieceIds(list)?.flatMap((id) => {
      const name = this.#db.get('SELECT name FROM build_pieces WHERE id = ?', id)?.['name'];
      return name === undefined ? [] : [{ name: name as string, bytes: () => this.#dataOf(id) ?? EMPTY }];
    });
  }

  has(list: Digest): boolean {
    return this.#idOf(listName(list)) !== undefined;
  }

  /** The same build once more: it takes the place of the one before. False when that was forgotten meanwhile. */
  again(id: number, o: { readonly at: number; readonly took: number }): boolean {
    return this.#db.run(`UPDATE builds SET turn = ${NEXT_TURN}, at = ?, took = ? WHERE id = ?`, o.at, o.took, id) > 0;
  }

  /** Records a build and the lists of members that are new, in one transaction, and forgets the oldest builds. */
  add(build: Omit<RecordedBuild, 'id'>, lists: ReadonlyMap<Digest, readonly Piece[]>): void {
    this.#db.transaction(() => {
      const used = new Set<number>();
      for (const [list, pieces] of lists) {
        const ids = pieces.map(({ name, bytes }) => this.#put(name, bytes));
        this.#put(listName(list), () => Buffer.from(JSON.stringify(ids)));
      }
      const rows = build.steps.map((step): StepRow => this.#toRow(step, used));
      for (const { contents } of build.steps) for (const list of contents) if (list !== null) this.#use(list, used);
      const { project, at, took, outcome, previous = null, fingerprint } = build;
      const row = this.#db.get(
        `INSERT INTO builds VALUES (NULL, ?, ${NEXT_TURN}, ?, ?, ?, ?, ?, ?) RETURNING id`,
        canonicalJson(project),
        at,
        took,
        outcome,
        previous,
        fingerprint,
        JSON.stringify(rows),
      );
      const id = row?.['id'] as number;
      for (const piece of used) this.#db.run('INSERT INTO build_uses VALUES (?, ?)', id, piece);
      const old = 'SELECT id FROM builds WHERE project = ? ORDER BY turn DESC LIMIT -1 OFFSET ?';
      this.#forget(this.#db.all(old, canonicalJson(project), KEPT));
      this.#forget(this.#db.all('SELECT id FROM builds ORDER BY turn DESC LIMIT -1 OFFSET ?', KEPT_IN_ALL));
    });
  }

  /** Forgets the builds that began before a time, but for the last one of each project unless that began before `last`. */
  prune(o: { readonly before: number; readonly last: number }): void {
    this.#db.transaction(() => {
      const old =
        'SELECT id FROM builds WHERE at < ? OR (at < ? AND turn NOT IN (SELECT max(turn) FROM builds GROUP BY project))';
      this.#forget(this.#db.all(old, Math.min(o.last, o.before), o.before));
      this.#db.run('DELETE FROM build_pieces WHERE id NOT IN (SELECT piece FROM build_uses)');
    });
  }

  #forget(builds: readonly Row[]): void {
    for (const { id = 0 } of builds) {
      const pieces = this.#db.all('SELECT piece FROM build_uses WHERE build = ?', id);
      this.#db.run('DELETE FROM builds WHERE id = ?', id);
      for (const { piece = 0 } of pieces)
        this.#db.run(
          'DELETE FROM build_pieces WHERE id = ? AND NOT EXISTS (SELECT 1 FROM build_uses WHERE piece = ?)',
          piece,
          piece,
        );
    }
  }

  #use(list: Digest, used: Set<number>): void {
    const id = this.#idOf(listName(list));
    if (id === undefined || used.has(id)) return;
    used.add(id);
    for (const piece of this.#pieceIds(list) ?? []) used.add(piece);
  }

  #put(name: string, bytes: () => Uint8Array): number {
    const known = this.#idOf(name);
    if (known !== undefined) return known;
    const row = this.#db.get('INSERT INTO build_pieces (name, data) VALUES (?, ?) RETURNING id', name, bytes());
    return row?.['id'] as number;
  }

  #idOf(name: string): number | undefined {
    return this.#db.get('SELECT id FROM build_pieces WHERE name = ?', name)?.['id'] as number | undefined;
  }

  #pieceIds(list: Digest): readonly number[] | undefined {
    const row = this.#db.get('SELECT data FROM build_pieces WHERE name = ?', listName(list));
    return row && (parsed(row['data']) as number[]);
  }

  #dataOf(id: number): Uint8Array | undefined {
    return this.#db.get('SELECT data FROM build_pieces WHERE id = ?', id)?.['data'] as Uint8Array | undefined;
  }

  #toRow(step: TracedStep, used: Set<number>): StepRow {
    const variables = step.parts.filter(({ variable }) => variable !== undefined);
    if (variables.length === 0) return step;
    const text = JSON.stringify(variables);
    const id = this.#put(`variables ${digestOf(text)}`, () => Buffer.from(text));
    used.add(id);
    return { ...step, parts: step.parts.filter(({ variable }) => variable === undefined), variables: id };
  }

  #toStep({ variables, ...step }: StepRow): TracedStep {
    const data = variables === undefined ? undefined : this.#dataOf(variables);
    return data ? { ...step, parts: [...(parsed(data) as KeyPart[]), ...step.parts] } : step;
  }

  #toBuild(row: Row): RecordedBuild {
    let steps: readonly TracedStep[] | undefined;
    const read = (): readonly TracedStep[] =>
      (JSON.parse(row['steps'] as string) as StepRow[]).map((step) => this.#toStep(step));
    return {
      ...toSummary(row),
      fingerprint: row['fingerprint'] as Digest,
      get steps() {
        return (steps ??= read());
      },
    };
  }
}

/** How two lists differ: only the pieces are read that one has and the other has not. At most `limit` paths are told. */
export function compareLists(before: readonly Piece[], after: readonly Piece[], limit?: number): MemberChanges {
  const members = (pieces: readonly Piece[], others: readonly Piece[]) => {
    const names = new Set(others.map(({ name }) => name));
    return pieces.flatMap((piece) => (names.has(piece.name) ? [] : membersOf(piece.bytes())));
  };
  return compareMembers(members(before, after), members(after, before), limit);
}

/** A piece by what it holds. */
export function pieceOf(bytes: Uint8Array): Piece {
  return { name: `members ${digestOf(bytes)}`, bytes: () => bytes };
}

/** A piece without members. */
const EMPTY = Buffer.alloc(4);

function parsed(data: unknown): unknown {
  const bytes = data as Uint8Array;
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
}

function toSummary(row: Row): BuildSummary {
  return {
    id: row['id'] as number,
    project: JSON.parse(row['project'] as string) as Project,
    at: row['at'] as number,
    took: row['took'] as number,
    outcome: row['outcome'] as BuildOutcome,
    previous: (row['previous'] as number | null) ?? undefined,
  };
}

function listName(list: Digest): string {
  return `list ${list}`;
}
