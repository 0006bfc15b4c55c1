import type { Database, Row } from '../base/index.ts';
import type { Descriptor, Digest } from '../blob/index.ts';
import type { Codec } from '../tree/index.ts';
import { blobsOf, type ImageRecord } from './image-record.ts';
import { formatPlatform } from './platform.ts';

const SCHEMA = [
  `CREATE TABLE images (
     image_id TEXT NOT NULL,
     manifest TEXT NOT NULL,
     index_digest TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     record TEXT NOT NULL,
     PRIMARY KEY (image_id, manifest)
   ) STRICT;
   CREATE INDEX images_by_manifest ON images (manifest);
   CREATE INDEX images_by_index ON images (index_digest);
   CREATE TABLE image_names (
     name TEXT NOT NULL,
     platform TEXT NOT NULL,
     image_id TEXT NOT NULL,
     manifest TEXT NOT NULL,
     PRIMARY KEY (name, platform),
     FOREIGN KEY (image_id, manifest) REFERENCES images ON DELETE CASCADE
   ) STRICT;
   CREATE INDEX image_names_by_image ON image_names (image_id, manifest);
   CREATE TABLE image_blobs (
     image_id TEXT NOT NULL,
     manifest TEXT NOT NULL,
     digest TEXT NOT NULL,
     PRIMARY KEY (image_id, manifest, digest),
     FOREIGN KEY (image_id, manifest) REFERENCES images ON DELETE CASCADE
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX image_blobs_by_digest ON image_blobs (digest);
   CREATE TABLE compressed_layers (
     diff_id TEXT NOT NULL,
     codec TEXT NOT NULL,
     level INTEGER NOT NULL,
     version INTEGER NOT NULL,
     digest TEXT NOT NULL,
     descriptor TEXT NOT NULL,
     PRIMARY KEY (diff_id, codec, level, version)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX compressed_layers_by_digest ON compressed_layers (digest);
   CREATE TABLE layer_ids (
     digest TEXT NOT NULL PRIMARY KEY,
     diff_id TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX layer_ids_by_diff_id ON layer_ids (diff_id);`,
];

/** A record and the names, canonical, that lead to it. */
export interface StoredImage {
  readonly record: ImageRecord;
  readonly names: readonly string[];
}

/** The tables of the local image store: records by image ID and manifest, names, and what is known of compressed layers. */
export class ImageTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    db.migrate('image', SCHEMA);
  }

  /** Stores records and makes `names` lead to them, and to nothing else. */
  put(names: readonly string[], records: readonly ImageRecord[]): void {
    this.#db.transaction(() => {
      for (const record of records) this.#putRecord(record);
      for (const name of names) {
        this.#db.run('DELETE FROM image_names WHERE name = ?', name);
        for (const record of records)
          this.#db.run(
            'INSERT OR REPLACE INTO image_names VALUES (?, ?, ?, ?)',
            name,
            formatPlatform(record.platform),
            ...keyOf(record),
          );
      }
    });
  }

  /** All images, the newest first. */
  list(): readonly StoredImage[] {
    return this.#db.transaction(() => {
      const names = Map.groupBy(
        this.#db.all('SELECT name, image_id, manifest FROM image_names ORDER BY name'),
        (row) => `${text(row, 'image_id')} ${text(row, 'manifest')}`,
      );
      return this.#db.all('SELECT record FROM images ORDER BY created_at DESC, image_id, manifest').map((row) => {
        const record = recordOf(row);
        return { record, names: (names.get(keyOf(record).join(' ')) ?? []).map((each) => text(each, 'name')) };
      });
    });
  }

  byName(name: string): readonly ImageRecord[] {
    return this.#db
      .all(
        'SELECT record FROM images JOIN image_names USING (image_id, manifest) WHERE name = ? ORDER BY platform',
        name,
      )
      .map((row) => recordOf(row));
  }

  /** Those of this image ID, manifest digest or index digest. */
  byDigest(digest: string): readonly ImageRecord[] {
    const sql =
      'SELECT record FROM images WHERE image_id = ?1 OR manifest = ?1 OR index_digest = ?1 ORDER BY created_at DESC';
    return this.#db.all(sql, digest).map((row) => recordOf(row));
  }

  /** Those whose image ID begins so. `prefix` is hex digits. */
  byIdPrefix(prefix: string): readonly ImageRecord[] {
    return this.#db
      .all('SELECT record FROM images WHERE image_id GLOB ? ORDER BY created_at DESC', `sha256:${prefix}*`)
      .map((row) => recordOf(row));
  }

  namesOf(record: ImageRecord): readonly string[] {
    const sql = 'SELECT DISTINCT name FROM image_names WHERE image_id = ? AND manifest = ? ORDER BY name';
    return this.#db.all(sql, ...keyOf(record)).map((row) => text(row, 'name'));
  }

  /** True when there was such a name. */
  removeName(name: string): boolean {
    return this.#db.run('DELETE FROM image_names WHERE name = ?', name) > 0;
  }

  /** True when there was such a record; its names go with it. */
  removeRecord(record: ImageRecord): boolean {
    return this.#db.run('DELETE FROM images WHERE image_id = ? AND manifest = ?', ...keyOf(record)) > 0;
  }

  compressedOf(diffId: Digest, codec: Codec): Descriptor | undefined {
    const sql =
      'SELECT descriptor FROM compressed_layers WHERE diff_id = ? AND codec = ? AND level = ? AND version = ?';
    const row = this.#db.get(sql, diffId, codec.name, codec.level, codec.version);
    return row && (JSON.parse(text(row, 'descriptor')) as Descriptor);
  }

  rememberCompressed(diffId: Digest, codec: Codec, descriptor: Descriptor): void {
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT OR REPLACE INTO compressed_layers VALUES (?, ?, ?, ?, ?, ?)',
        diffId,
        codec.name,
        codec.level,
        codec.version,
        descriptor.digest,
        JSON.stringify(descriptor),
      );
      this.rememberDiffId(descriptor.digest, diffId);
    });
  }

  diffIdOf(compressed: Digest): Digest | undefined {
    const row = this.#db.get('SELECT diff_id FROM layer_ids WHERE digest = ?', compressed);
    return row && (text(row, 'diff_id') as Digest);
  }

  rememberDiffId(compressed: Digest, diffId: Digest): void {
    this.#db.run('INSERT OR REPLACE INTO layer_ids VALUES (?, ?)', compressed, diffId);
  }

  /** True when an image needs the blob, or it is the compressed form, made here, of a layer that an image needs. */
  isReferenced(digest: Digest): boolean {
    const sql = `SELECT 1 AS yes WHERE EXISTS (SELECT 1 FROM image_blobs WHERE digest = ?1)
      OR EXISTS (SELECT 1 FROM compressed_layers c JOIN image_blobs b ON b.digest = c.diff_id WHERE c.digest = ?1)`;
    return this.#db.get(sql, digest) !== undefined;
  }

  /** All digests for which `isReferenced` holds. */
  referenced(): ReadonlySet<Digest> {
    const sql = `SELECT digest FROM image_blobs
      UNION SELECT c.digest FROM compressed_layers c JOIN image_blobs b ON b.digest = c.diff_id`;
    return new Set(this.#db.all(sql).map((row) => text(row, 'digest') as Digest));
  }

  #putRecord(record: ImageRecord): void {
    const [imageId, manifest] = keyOf(record);
    this.#db.run(
      `INSERT INTO images VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (image_id, manifest)
       DO UPDATE SET index_digest = excluded.index_digest, created_at = excluded.created_at, record = excluded.record`,
      imageId,
      manifest,
      record.index?.digest ?? '',
      record.createdAt,
      JSON.stringify(record),
    );
    this.#db.run('DELETE FROM image_blobs WHERE image_id = ? AND manifest = ?', imageId, manifest);
    for (const digest of blobsOf(record))
      this.#db.run('INSERT INTO image_blobs VALUES (?, ?, ?)', imageId, manifest, digest);
  }
}

function keyOf(record: ImageRecord): [imageId: string, manifest: string] {
  return [record.imageId, record.manifest?.digest ?? ''];
}

function recordOf(row: Row): ImageRecord {
  return JSON.parse(text(row, 'record')) as ImageRecord;
}

function text(row: Row, column: string): string {
  return row[column] as string;
}
