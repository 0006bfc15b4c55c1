import type { Clock, Database, Row } from '../base/index.ts';

/** A snapshot as the database knows it. `number` names its folder. */
export interface SnapshotRow {
  readonly number: number;
  /** Undefined while it is active. */
  readonly id: string | undefined;
  readonly parent: number | undefined;
  readonly createdAt: number;
  readonly usedAt: number;
  /** It also has a folder that holds it and all below it as one layer. */
  readonly flat: boolean;
  readonly bytes: number | undefined;
  readonly inodes: number | undefined;
  readonly notes: readonly string[];
}

/**
 * The tables of the room. A committed row counts only under its own stamp (id map and kind of snapshot), and after another boot only when its files had been written to disk for good (`settled`) before that one.
 */
export class SnapshotRecords {
  readonly #db: Database;
  readonly #stamp: string;
  readonly #boot: string;
  readonly #clock: Clock;

  constructor(db: Database, o: { stamp: string; boot: string; clock: Clock }) {
    this.#db = db;
    this.#stamp = o.stamp;
    this.#boot = o.boot;
    this.#clock = o.clock;
    db.migrate('snapshot', STEPS);
  }

  find(id: string): SnapshotRow | undefined {
    const row = this.#db.get(`${SELECT} WHERE stamp = ? AND id = ? AND ${USABLE}`, this.#stamp, id, this.#boot);
    return row && snapshotRow(row);
  }

  get(number: number): SnapshotRow | undefined {
    const row = this.#db.get(`${SELECT} WHERE number = ?`, number);
    return row && snapshotRow(row);
  }

  list(): SnapshotRow[] {
    return this.#db
      .all(`${SELECT} WHERE stamp = ? AND id IS NOT NULL AND ${USABLE} ORDER BY number`, this.#stamp, this.#boot)
      .map(snapshotRow);
  }

  /** A snapshot and all it stands on, uppermost first. */
  chain(number: number): SnapshotRow[] {
    return this.#db
      .all(
        `WITH RECURSIVE chain (number, depth) AS (
           SELECT ?, 0 UNION ALL SELECT s.parent, c.depth + 1 FROM snapshots s JOIN chain c ON s.number = c.number
           WHERE s.parent IS NOT NULL)
         ${SELECT.replace('FROM snapshots', 'FROM chain JOIN snapshots USING (number)')} ORDER BY chain.depth`,
        number,
      )
      .map(snapshotRow);
  }

  addActive(parent: number | undefined, owner: string): number {
    const now = this.#clock.now();
    const row = this.#db.get(
      'INSERT INTO snapshots (stamp, parent, boot, owner, created_at, used_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING number',
      this.#stamp,
      parent ?? null,
      this.#boot,
      owner,
      now,
      now,
    );
    return Number(row?.['number']);
  }

  /** False when there is a usable snapshot of that name already. */
  commit(number: number, id: string, notes: readonly string[]): boolean {
    return this.#db.transaction(() => {
      if (this.find(id)) return false;
      // One of an unclean boot in the way: what stands on it keeps it, under no name.
      this.#db.run('UPDATE snapshots SET id = NULL WHERE stamp = ? AND id = ?', this.#stamp, id);
      this.#db.run(
        'UPDATE snapshots SET id = ?, owner = NULL, used_at = ?, notes = ? WHERE number = ?',
        id,
        this.#clock.now(),
        notes.length === 0 ? null : JSON.stringify(notes),
        number,
      );
      return true;
    });
  }

  touch(number: number): void {
    this.#db.run('UPDATE snapshots SET used_at = ? WHERE number = ?', this.#clock.now(), number);
  }

  setFlat(number: number): void {
    this.#db.run('UPDATE snapshots SET flat = 1 WHERE number = ?', number);
  }

  setUsage(number: number, usage: { bytes: number; inodes: number }): void {
    this.#db.run('UPDATE snapshots SET bytes = ?, inodes = ? WHERE number = ?', usage.bytes, usage.inodes, number);
  }

  addView(number: number, owner: string): number {
    return this.#db.transaction(() => {
      this.touch(number);
      const row = this.#db.get(
        'INSERT INTO snapshot_views (snapshot, owner) VALUES (?, ?) RETURNING id',
        number,
        owner,
      );
      return Number(row?.['id']);
    });
  }

  dropView(view: number): void {
    this.#db.run('DELETE FROM snapshot_views WHERE id = ?', view);
  }

  /** Removes a row that nothing stands on and nobody looks at; false otherwise. */
  remove(number: number): boolean {
    return this.#db.transaction(() => {
      const used = this.#db.get(
        'SELECT 1 AS yes FROM snapshots WHERE parent = ? UNION ALL SELECT 1 FROM snapshot_views WHERE snapshot = ?',
        number,
        number,
      );
      if (used) return false;
      this.#db.run('DELETE FROM snapshots WHERE number = ?', number);
      return true;
    });
  }

  /** Takes away what a process that is gone had open; the numbers of its active snapshots. */
  bury(owner: string): number[] {
    return this.#db.transaction(() => {
      this.#db.run('DELETE FROM snapshot_views WHERE owner = ?', owner);
      const dead = this.#db.all('SELECT number FROM snapshots WHERE owner = ?', owner);
      this.#db.run('DELETE FROM snapshots WHERE owner = ?', owner);
      return dead.map((row) => Number(row['number']));
    });
  }

  /** Removes what cannot be used any more: rows of an earlier boot whose files may not be whole, rows whose folder `isLost`, and all that stands on them. */
  dropUnusable(isLost: (number: number) => boolean): number[] {
    return this.#db.transaction(() => {
      const rows = this.#db.all(
        `SELECT number, parent, id, owner, ${USABLE} AS usable FROM snapshots WHERE stamp = ? ORDER BY number`,
        this.#boot,
        this.#stamp,
      );
      const dropped = new Set<unknown>();
      for (const row of rows) {
        if (row['owner'] !== null) continue;
        if (row['usable'] !== 1 || dropped.has(row['parent']) || isLost(Number(row['number'])))
          dropped.add(row['number']);
      }
      const numbers = [...dropped].map(Number).toReversed();
      return numbers.filter((number) => this.remove(number));
    });
  }

  /** What was committed in this boot before `before`, and is not known to be on disk. */
  unsettled(before: number): number[] {
    return this.#db
      .all(
        'SELECT number FROM snapshots WHERE boot = ? AND settled = 0 AND id IS NOT NULL AND created_at < ?',
        this.#boot,
        before,
      )
      .map((row) => Number(row['number']));
  }

  settle(numbers: readonly number[]): void {
    this.#db.transaction(() => {
      for (const number of numbers) this.#db.run('UPDATE snapshots SET settled = 1 WHERE number = ?', number);
    });
  }

  /** Whether a folder of that number belongs to anything, under whatever stamp. */
  isKnown(number: number): boolean {
    return this.#db.get('SELECT 1 AS yes FROM snapshots WHERE number = ?', number) !== undefined;
  }
}

/** Takes the boot id as its parameter. */
const USABLE = '(settled = 1 OR boot = ?)';
const SELECT = 'SELECT number, id, parent, created_at, used_at, flat, bytes, inodes, notes FROM snapshots';

const STEPS = [
  `CREATE TABLE snapshots (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     stamp TEXT NOT NULL,
     id TEXT,
     parent INTEGER REFERENCES snapshots (number),
     boot TEXT NOT NULL,
     settled INTEGER NOT NULL DEFAULT 0,
     owner TEXT,
     created_at INTEGER NOT NULL,
     used_at INTEGER NOT NULL,
     flat INTEGER NOT NULL DEFAULT 0,
     bytes INTEGER,
     inodes INTEGER,
     notes TEXT
   ) STRICT;
   CREATE UNIQUE INDEX snapshots_by_id ON snapshots (stamp, id);
   CREATE INDEX snapshots_by_parent ON snapshots (parent);
   CREATE TABLE snapshot_views (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     snapshot INTEGER NOT NULL REFERENCES snapshots (number),
     owner TEXT NOT NULL
   ) STRICT;
   CREATE INDEX snapshot_views_by_snapshot ON snapshot_views (snapshot);`,
];

function snapshotRow(row: Row): SnapshotRow {
  const optional = (name: string): number | undefined => (row[name] === null ? undefined : Number(row[name]));
  return {
    number: Number(row['number']),
    id: typeof row['id'] === 'string' ? row['id'] : undefined,
    parent: optional('parent'),
    createdAt: Number(row['created_at']),
    usedAt: Number(row['used_at']),
    flat: row['flat'] === 1,
    bytes: optional('bytes'),
    inodes: optional('inodes'),
    notes: typeof row['notes'] === 'string' ? (JSON.parse(row['notes']) as string[]) : [],
  };
}
