import type { Clock, Database } from '../base/index.ts';
import type { Digest } from './digest.ts';
import { ownProcess, stateOfProcess, type ProcessId } from './process-id.ts';

const SCHEMA = [
  `CREATE TABLE leases (
     id INTEGER PRIMARY KEY,
     pid INTEGER NOT NULL,
     started_at TEXT NOT NULL,
     boot_id TEXT NOT NULL,
     namespace TEXT NOT NULL,
     expires_at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE leased_blobs (
     lease INTEGER NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
     digest TEXT NOT NULL,
     PRIMARY KEY (lease, digest)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX leased_blobs_by_digest ON leased_blobs (digest);`,
];

const DAY = 24 * 60 * 60 * 1000;

/** What a process is using: its blobs are spared by sweeps until the scope ends. */
export interface Lease extends AsyncDisposable {
  /** Holds these blobs from now on, there or not yet. Add a digest first, then look whether the blob is there: a sweep cannot come in between. */
  add(...digests: readonly Digest[]): void;
}

/**
 * Leases on blobs, in the database that all processes on a store share. A lease ends with its scope, with the process that took it, or, where that cannot be seen (another pid namespace), when its time to live has passed
 * since its last `add`.
 */
export class Leases {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, o: { clock: Clock }) {
    this.#db = db;
    this.#clock = o.clock;
    db.migrate('blob', SCHEMA);
  }

  /** `ttlMs` is a day by default; `owner` this process. */
  take(o: { ttlMs?: number | undefined; owner?: ProcessId | undefined } = {}): Lease {
    const { pid, startedAt, bootId, namespace } = o.owner ?? ownProcess();
    const ttl = o.ttlMs ?? DAY;
    const row = this.#db.get(
      'INSERT INTO leases (pid, started_at, boot_id, namespace, expires_at) VALUES (?, ?, ?, ?, ?) RETURNING id',
      pid,
      startedAt,
      bootId,
      namespace,
      this.#clock.now() + ttl,
    );
    const id = row?.['id'] as number;
    return {
      add: (...digests) =>
        this.#db.transaction(() => {
          this.#db.run('UPDATE leases SET expires_at = ? WHERE id = ?', this.#clock.now() + ttl, id);
          for (const digest of digests) this.#db.run('INSERT OR IGNORE INTO leased_blobs VALUES (?, ?)', id, digest);
        }),
      [Symbol.asyncDispose]: async () => void this.#db.run('DELETE FROM leases WHERE id = ?', id),
    };
  }

  isLeased(digest: Digest): boolean {
    return this.#db.get('SELECT 1 AS yes FROM leased_blobs WHERE digest = ? LIMIT 1', digest) !== undefined;
  }

  /** How many leases there are, ended ones included until `expire`. */
  count(): number {
    return this.#db.get('SELECT count(*) AS n FROM leases')?.['n'] as number;
  }

  /** How many leases are of processes that cannot be seen from here: of other pid namespaces. */
  strangers(): number {
    const { namespace } = ownProcess();
    return this.#db.get('SELECT count(*) AS n FROM leases WHERE namespace <> ?', namespace)?.['n'] as number;
  }

  /** Ends the leases of processes that have ended, and of unknown ones whose time is up. Returns how many. */
  expire(): number {
    return this.#db.transaction(() => {
      let ended = 0;
      for (const row of this.#db.all('SELECT * FROM leases')) {
        const owner: ProcessId = {
          pid: row['pid'] as number,
          startedAt: row['started_at'] as string,
          bootId: row['boot_id'] as string,
          namespace: row['namespace'] as string,
        };
        const state = stateOfProcess(owner);
        if (state === 'alive' || (state === 'unknown' && (row['expires_at'] as number) > this.#clock.now())) continue;
        ended += this.#db.run('DELETE FROM leases WHERE id = ?', row['id'] as number);
      }
      return ended;
    });
  }

  /** Runs `work` while no process, this one included, can take a lease or add to one. */
  exclusively<T>(work: () => T): T {
    return this.#db.transaction(work);
  }
}
