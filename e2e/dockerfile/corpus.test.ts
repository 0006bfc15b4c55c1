import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { makeBases, noBases } from './bases.ts';
import { buildWithStrake } from './build-with-strake.ts';
import { readCases } from './case-file.ts';
import { differencesOf, readGolden } from './golden.ts';
import { readListed } from './listed.ts';
import { placeCase } from './placed-case.ts';
import { openServers } from './servers.ts';

/** Cases built at once. */
const AT_ONCE = 3;

const why = process.getuid?.() === 0 ? noBases : 'the golden data is of builds as root';
const only = process.env['STRAKE_CASES']?.split(',');
const cases = readCases().filter(({ name, group }) => !only || only.includes(name) || only.includes(group));
const listed = readListed();
const work = mkdtempSync(join(tmpdir(), 'strake-corpus-'));
const root = join(work, 'store');

suite('every Dockerfile of the corpus builds as BuildKit builds it', { skip: why, concurrency: AT_ONCE }, () => {
  let servers: Awaited<ReturnType<typeof openServers>> | undefined;
  before(async () => {
    servers = await openServers(work);
    await makeBases({ root, work });
  });
  after(async () => {
    await servers?.[Symbol.asyncDispose]();
    try {
      assert.deepEqual(leftovers(root), []);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  for (const one of cases)
    test(`${one.group}: ${one.name}`, async () => {
      const golden = readGolden(one.hand === undefined ? one.group : 'by-hand').cases[one.name];
      assert.ok(golden, 'there is no golden data: see README.md');
      const found = await buildWithStrake(one, placeCase(one, work, { places: servers?.places, share: true }), root);
      const differences = await differencesOf(golden, found);
      assert.deepEqual(
        [...differences].sort(),
        [...listed.of(one.name)].sort(),
        `${differences.join('\n')}\n\n${one.dockerfile}\n${found.error?.text ?? ''}`,
      );
      // A failure that both have must say the same thing.
      if (found.error && golden.error) assert.match(found.error.text, one.fails ?? /^$/);
    });
});

suite('the corpus itself', () => {
  test('there are golden data for its cases, and for nothing else', () => {
    const all = readCases();
    for (const group of new Set(all.map((one) => one.group))) {
      const names = all.filter((one) => one.group === group && one.hand === undefined).map(({ name }) => name);
      assert.deepEqual(Object.keys(readGolden(group).cases).sort(), names.sort(), group);
    }
    const byHand = all.filter((one) => one.hand !== undefined).map(({ name }) => name);
    assert.deepEqual(Object.keys(readGolden('by-hand').cases).sort(), byHand.sort());
  });

  test('README.md names the cases of each rule', () => {
    const text = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
    for (const { name, rules } of readCases())
      for (const rule of rules) {
        const row = text.split('\n').find((line) => line.startsWith(`| ${rule} |`));
        assert.ok(row?.includes(`\`${name}\``), `${rule}: ${name}: run "node e2e/dockerfile/table.ts"`);
      }
  });

  test('what is listed is of cases that are there, and in the documentation', () => {
    const names = new Set(readCases().map(({ name }) => name));
    const text = readFileSync(join(import.meta.dirname, '../../docs/docker-compatibility.md'), 'utf8');
    for (const { id, cases } of listed.entries) {
      assert.ok(text.includes(`\`${id}\``), `docs/docker-compatibility.md does not name \`${id}\``);
      for (const name of Object.keys(cases)) assert.ok(names.has(name), name);
    }
    for (const { name, hand } of readCases())
      if (hand !== undefined)
        assert.ok(text.includes(`\`${name}\``), `docs/docker-compatibility.md does not name \`${name}\``);
  });
});
