import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type * as sqlite from 'node:sqlite';
import type { DatabaseSync, StatementSync, SQLInputValue } from 'node:sqlite';

export type SqlValue = SQLInputValue;
export type Row = Record<string, SqlValue>;

/**
 * The one SQLite file of a store, shared by the rooms (each brings its own tables) and by several processes. WAL, synchronous=NORMAL: a crash of the
 * process loses nothing, a power loss at most the last transactions and never consistency.
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Opens or creates the file; `:memory:` for tests. Waits up to 30 s for another process's transaction. */
  static open(path: string): Database {
    const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof sqlite;
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    const db = new DatabaseSync(path, { timeout: 30_000 });
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;');
    return new Database(db);
  }

  /**
   * Brings a room's tables up to date: `steps[i]` is SQL that takes version i to i+1. Steps already taken are skipped, each runs in a transaction. Never edit a step that
   * has been released; add one.
   */
  migrate(room: string, steps: readonly string[]): void {
    const version = (): number => {
      const row = this.get('SELECT version FROM schema_versions WHERE room = ?', room);
      return typeof row?.['version'] === 'number' ? row['version'] : 0;
    };
    const known = this.get("SELECT 1 AS yes FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'");
    if (known && version() >= steps.length) return;
    this.transaction(() => {
      this.#db.exec(
        'CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
      );
      for (let at = version(); at < steps.length; at++) {
        this.#db.exec(steps[at] as string);
        this.run(
          'INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET version = excluded.version',
          room,
          at + 1,
        );
      }
    });
  }

  /** Runs one statement; the number of rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  get(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#prepare(sql).get(...values);
  }

  all(sql: string, ...values: SqlValue[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  /** `work` (synchronous) inside BEGIN IMMEDIATE; nested calls join the outer one. Rolled back when it throws. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#db.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
