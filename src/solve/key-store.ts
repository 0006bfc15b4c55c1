import type { Clock, Database, Row } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { ResultRecord } from './types.ts';

/** What is on record for a step: one record per output, none where only its name is known. `id` stands for the result in the keys of the steps after it. */
export interface StoredResult {
  readonly id: Digest;
  readonly outputs: readonly ResultRecord[];
  readonly createdAt: number;
  readonly usedAt: number;
  /** Of the step that made it: what people know it by, and the kind of its op, of a source that of the source. Unknown for what came from elsewhere. */
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
}

const MIGRATIONS = [
  `CREATE TABLE results (id TEXT PRIMARY KEY, outputs TEXT NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE result_keys (key TEXT PRIMARY KEY, result TEXT NOT NULL REFERENCES results (id) ON DELETE CASCADE, parts TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX result_keys_by_result ON result_keys (result);`,
  `CREATE TABLE key_inputs (key TEXT NOT NULL REFERENCES result_keys (key) ON DELETE CASCADE, input TEXT NOT NULL, PRIMARY KEY (key, input)) STRICT, WITHOUT ROWID;
   CREATE INDEX key_inputs_by_input ON key_inputs (input);`,
  'ALTER TABLE result_keys DROP COLUMN parts;',
  'ALTER TABLE results ADD COLUMN name TEXT; ALTER TABLE results ADD COLUMN kind TEXT;',
];

/** A key to record a result under, and the ids of the inputs' results that it was made of. */
export interface RecordedKey {
  readonly digest: Digest;
  readonly inputs: readonly Digest[];
}

/** A result to be recorded. */
export interface NewResult {
  readonly id: Digest;
  readonly keys: readonly RecordedKey[];
  readonly outputs: readonly ResultRecord[];
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
}

/** Keys of steps and the results they lead to; several keys may lead to one result. Times are milliseconds since the epoch. */
export class KeyStore {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    db.migrate('solve', MIGRATIONS);
  }

  find(key: Digest): StoredResult | undefined {
    const row = this.#db.get('SELECT r.* FROM result_keys k JOIN results r ON r.id = k.result WHERE k.key = ?', key);
    return row && toResult(row);
  }

  /** Records a result under its id and keys; a key that led elsewhere leads here now. */
  save(result: NewResult): void {
    const now = this.#clock.now();
    this.#db.transaction(() => {
      this.#db.run(
        `INSERT INTO results (id, outputs, created_at, used_at, name, kind) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET outputs = excluded.outputs, created_at = excluded.created_at, used_at = excluded.used_at,
           name = excluded.name, kind = excluded.kind`,
        result.id,
        JSON.stringify(result.outputs),
        now,
        now,
        result.name ?? null,
        result.kind ?? null,
      );
      for (const key of result.keys) this.#link(key, result.id);
    });
  }

  /** `save`, unless one of the keys leads to a result already, that somebody else recorded meanwhile: that one stays, and is returned. */
  saveNew(result: NewResult): StoredResult | undefined {
    return this.#db.transaction(() => {
      const [earlier] = result.keys.flatMap((key) => this.find(key.digest) ?? []);
      if (!earlier) this.save(result);
      return earlier;
    });
  }

  /** The result of this id, recorded now unless there is one with outputs; the keys lead to it. */
  adopt(result: NewResult): StoredResult {
    return this.#db.transaction(() => {
      const known = this.get(result.id);
      if (known && (known.outputs.length > 0 || result.outputs.length === 0))
        for (const key of result.keys) this.#link(key, result.id);
      else this.save(result);
      return this.get(result.id) as StoredResult;
    });
  }

  get(id: Digest): StoredResult | undefined {
    const row = this.#db.get('SELECT * FROM results WHERE id = ?', id);
    return row && toResult(row);
  }

  /** All keys that lead to a result, sorted. */
  keysOf(id: Digest): readonly RecordedKey[] {
    return this.#db.all('SELECT key FROM result_keys WHERE result = ? ORDER BY key', id).map(({ key }) => ({
      digest: key as Digest,
      inputs: this.#db
        .all('SELECT input FROM key_inputs WHERE key = ? ORDER BY input', key as Digest)
        .map(({ input }) => input as Digest),
    }));
  }

  /** A further key by which an existing result is found. */
  link(key: RecordedKey, id: Digest): void {
    this.#db.transaction(() => this.#link(key, id));
  }

  /** False when no key was ever made of this result: then no step that takes it by its recipe can be found. */
  isInput(id: Digest): boolean {
    return this.#db.get('SELECT 1 AS yes FROM key_inputs WHERE input = ? LIMIT 1', id) !== undefined;
  }

  /** Marks results as used now, for those who prune by age. */
  touch(ids: readonly Digest[]): void {
    if (ids.length === 0) return;
    const now = this.#clock.now();
    this.#db.transaction(() => {
      for (const id of ids) this.#db.run('UPDATE results SET used_at = ? WHERE id = ?', now, id);
    });
  }

  forget(id: Digest): boolean {
    return this.#db.run('DELETE FROM results WHERE id = ?', id) > 0;
  }

  /** Forgets the results that no key leads to any more. */
  forgetUnreachable(): number {
    return this.#db.run('DELETE FROM results WHERE id NOT IN (SELECT result FROM result_keys)');
  }

  /** Another text after any result was recorded, forgotten or used, by whatever process. */
  version(): string {
    return JSON.stringify(this.#db.get('SELECT count(*), max(created_at), max(used_at) FROM results'));
  }

  /** All results, the least recently used first. */
  list(): readonly StoredResult[] {
    return this.#db.all('SELECT * FROM results ORDER BY used_at, id').map(toResult);
  }

  /** The results that each result was made of, as far as they are on record. */
  parents(): ReadonlyMap<Digest, readonly Digest[]> {
    const found = new Map<Digest, Digest[]>();
    for (const { result, input } of this.#db.all(
      'SELECT DISTINCT k.result, i.input FROM key_inputs i JOIN result_keys k ON k.key = i.key JOIN results r ON r.id = i.input ORDER BY 1, 2',
    )) {
      const parents = found.get(result as Digest) ?? [];
      found.set(result as Digest, [...parents, input as Digest]);
    }
    return found;
  }

  #link({ digest, inputs }: RecordedKey, id: Digest): void {
    this.#db.run(
      'INSERT INTO result_keys VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET result = excluded.result',
      digest,
      id,
    );
    for (const input of inputs) this.#db.run('INSERT OR IGNORE INTO key_inputs VALUES (?, ?)', digest, input);
  }
}

/** Outputs are read only when somebody asks: most results on record are only needed by their id. */
function toResult(row: Row): StoredResult {
  let outputs: readonly ResultRecord[] | undefined;
  return {
    id: row['id'] as Digest,
    get outputs() {
      return (outputs ??= JSON.parse(row['outputs'] as string) as ResultRecord[]);
    },
    createdAt: row['created_at'] as number,
    usedAt: row['used_at'] as number,
    name: (row['name'] as string | null) ?? undefined,
    kind: (row['kind'] as string | null) ?? undefined,
  };
}
