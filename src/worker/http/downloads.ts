import type { Clock, Database, Row } from '../../base/index.ts';
import { digestOf, type Digest } from '../../blob/index.ts';

/** What is known of an address from the last time. */
export interface Download {
  readonly digest: Digest;
  readonly size: number;
  /** Without `W/`. */
  readonly etag?: string | undefined;
  /** As the server said it. */
  readonly lastModified?: string | undefined;
  /** That was long enough before it was sent for the time to tell two contents apart (RFC 9110 8.8.2.2). */
  readonly settled: boolean;
  readonly disposition?: string | undefined;
}

const MIGRATIONS = [
  `CREATE TABLE downloads (
     address TEXT PRIMARY KEY,
     digest TEXT NOT NULL,
     size INTEGER NOT NULL,
     etag TEXT,
     last_modified TEXT,
     settled INTEGER NOT NULL,
     disposition TEXT,
     used_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX downloads_by_digest ON downloads (digest);`,
];

/** Downloads whose content is in the blob store, by digests of their addresses: an address may hold a signature. Blobs that stand here are kept by `prune` until they are forgotten. */
export class Downloads {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    db.migrate('http', MIGRATIONS);
  }

  find(url: string): Download | undefined {
    const row = this.#db.get('SELECT * FROM downloads WHERE address = ?', digestOf(url));
    return row && toDownload(row);
  }

  put(url: string, { digest, size, etag, lastModified, settled, disposition }: Download): void {
    this.#db.run(
      'INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      digestOf(url),
      digest,
      size,
      etag ?? null,
      lastModified ?? null,
      settled ? 1 : 0,
      disposition ?? null,
      this.#clock.now(),
    );
  }

  touch(url: string): void {
    this.#db.run('UPDATE downloads SET used_at = ? WHERE address = ?', this.#clock.now(), digestOf(url));
  }

  has(digest: Digest): boolean {
    return this.#db.get('SELECT 1 AS yes FROM downloads WHERE digest = ? LIMIT 1', digest) !== undefined;
  }

  /** Every content once, the least recently used first. */
  list(): readonly { readonly digest: Digest; readonly size: number; readonly usedAt: number }[] {
    return this.#db
      .all(
        'SELECT digest, max(size) AS bytes, max(used_at) AS used FROM downloads GROUP BY digest ORDER BY used, digest',
      )
      .map((row) => ({ digest: row['digest'] as Digest, size: row['bytes'] as number, usedAt: row['used'] as number }));
  }

  forget(digest: Digest): void {
    this.#db.run('DELETE FROM downloads WHERE digest = ?', digest);
  }
}

function toDownload(row: Row): Download {
  return {
    digest: row['digest'] as Digest,
    size: row['size'] as number,
    etag: (row['etag'] as string | null) ?? undefined,
    lastModified: (row['last_modified'] as string | null) ?? undefined,
    settled: row['settled'] === 1,
    disposition: (row['disposition'] as string | null) ?? undefined,
  };
}
