import type { Clock, Database, Row } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { KeyPart, ResultRecord } from './types.ts';

/** What is on record for a step: one record per output. `id` stands for the result in the keys of the steps after it. */
export interface StoredResult {
  readonly id: Digest;
  readonly outputs: readonly ResultRecord[];
  readonly createdAt: number;
  readonly usedAt: number;
}

const MIGRATIONS = [
  `CREATE TABLE results (id TEXT PRIMARY KEY, outputs TEXT NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE result_keys (key TEXT PRIMARY KEY, result TEXT NOT NULL REFERENCES results (id) ON DELETE CASCADE, parts TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX result_keys_by_result ON result_keys (result);`,
];

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
  save(result: {
    id: Digest;
    keys: readonly Digest[];
    parts: readonly KeyPart[];
    outputs: readonly ResultRecord[];
  }): void {
    const now = this.#clock.now();
    const parts = JSON.stringify(result.parts);
    this.#db.transaction(() => {
      this.#db.run(
        `INSERT INTO results VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET outputs = excluded.outputs, created_at = excluded.created_at, used_at = excluded.used_at`,
        result.id,
        JSON.stringify(result.outputs),
        now,
        now,
      );
      for (const key of result.keys) this.#link(key, result.id, parts);
    });
  }

  /** A further key by which an existing result is found. */
  link(key: Digest, id: Digest, parts: readonly KeyPart[]): void {
    this.#db.transaction(() => this.#link(key, id, JSON.stringify(parts)));
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

  /** All results, the least recently used first. */
  list(): readonly StoredResult[] {
    return this.#db.all('SELECT * FROM results ORDER BY used_at, id').map(toResult);
  }

  #link(key: Digest, id: Digest, parts: string): void {
    this.#db.run(
      'INSERT INTO result_keys VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET result = excluded.result, parts = excluded.parts',
      key,
      id,
      parts,
    );
  }
}

function toResult(row: Row): StoredResult {
  return {
    id: row['id'] as Digest,
    outputs: JSON.parse(row['outputs'] as string) as ResultRecord[],
    createdAt: row['created_at'] as number,
    usedAt: row['used_at'] as number,
  };
}
