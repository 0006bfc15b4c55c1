import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database } from './database.ts';

const STEPS = [
  'CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT',
  "INSERT INTO counts VALUES ('a', 0)",
];

test('each room brings its tables up to date by steps taken once', () => {
  using db = Database.open(':memory:');
  db.migrate('one', STEPS.slice(0, 1));
  db.migrate('one', STEPS);
  db.migrate('one', STEPS);
  db.migrate('two', ['CREATE TABLE other (x INTEGER) STRICT']);
  assert.deepEqual(
    db.all('SELECT * FROM counts').map((row) => ({ ...row })),
    [{ name: 'a', n: 0 }],
  );
  assert.throws(() => db.migrate('three', ['CREATE TABLE good (x INTEGER) STRICT', 'nonsense']), /nonsense/);
  assert.equal(db.get("SELECT 1 AS yes FROM sqlite_master WHERE name = 'good'"), undefined);
});

test('a transaction is all or nothing, and inner ones join it', () => {
  using db = Database.open(':memory:');
  db.migrate('one', STEPS);
  const add = (n: number): number => db.transaction(() => db.run("UPDATE counts SET n = n + ? WHERE name = 'a'", n));
  assert.equal(add(1), 1);
  assert.throws(
    () =>
      db.transaction(() => {
        add(10);
        throw new Error('no');
      }),
    /no/,
  );
  assert.equal(db.get('SELECT n FROM counts')?.['n'], 1);
  assert.equal(add(2), 1);
  assert.equal(db.get('SELECT n FROM counts')?.['n'], 3);
});

test('several processes may open, migrate and write one file at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-db-'));
  try {
    const path = join(folder, 'nested', 'store.db');
    const script = `
      const { Database } = await import(${JSON.stringify(new URL('./database.ts', import.meta.url).href)});
      using db = Database.open(${JSON.stringify(path)});
      db.migrate('one', ${JSON.stringify(STEPS)});
      for (let at = 0; at < 50; at++)
        db.transaction(() => {
          const n = db.get("SELECT n FROM counts WHERE name = 'a'").n;
          db.run("UPDATE counts SET n = ? WHERE name = 'a'", n + 1);
        });`;
    const run = (): Promise<string> =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
          { stdio: ['ignore', 'ignore', 'pipe'] },
        );
        let errors = '';
        child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
        child.on('close', (code) => resolve(code === 0 ? '' : errors));
      });
    assert.deepEqual(await Promise.all([run(), run(), run()]), ['', '', '']);
    using db = Database.open(path);
    assert.equal(db.get('SELECT n FROM counts')?.['n'], 150);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
