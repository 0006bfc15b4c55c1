/**
 * Builds the corpus by strake and writes differences.json: each difference from the golden data under the reason that its words are of. What no reason covers is printed, and is to be mended or given one (here and in docs/docker-compatibility.md).
 *   node e2e/dockerfile/list.ts [NAME OR GROUP…]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapBounded } from '../../src/base/index.ts';
import { makeBases } from './bases.ts';
import { buildWithStrake } from './build-with-strake.ts';
import { readCases } from './case-file.ts';
import { differencesOf, readGolden } from './golden.ts';
import { readListed } from './listed.ts';
import { placeCase } from './placed-case.ts';
import { openServers } from './servers.ts';

/** Which words are of which reason: `CASE: DIFFERENCE`. */
const REASONS: readonly { readonly id: string; readonly words: RegExp }[] = [
  { id: 'mount-points', words: /^run-without-mount-points: layer \d+: (dev|proc|sys): directory 0755 0:0 only there$/ },
  { id: 'error-lines', words: /^(lex-directive-twice|lex-empty-file|lex-line-beyond-limit): error: line / },
  { id: 'folder-times', words: /^[\w-]+: layer \d+: [^:]+: time now, here 2002-02-02T02:02:02Z$/ },
  { id: 'folder-times', words: /^copy-wildcard-folder: layer 2: x: time / },
  { id: 'user-attributes', words: /: xattrs , here user\./ },
  { id: 'epoch-clamps', words: /^epoch(-zero)?: layer 1: [ax]: time / },
  { id: 'git-times', words: /^(add-git[\w-]*|context-git): layer \d: [^:]+: time / },
  { id: 'primary-group', words: /^(user-forms|run-owners|run-user-of-config): layer \d: [\w/]+: content / },
  { id: 'hard-links-kept', words: /^run-(changes|hard-links): layer \d: .* only here$/ },
  { id: 'xz-program', words: /^add-archives: layer 3: xz/ },
  { id: 'chown-on-scratch', words: /^copy-chown-no-passwd: fails there/ },
  { id: 'newer-lint', words: /^copy-ignored: warning only here: CopyIgnoredFile/ },
  { id: 'remarks-of-what-fails', words: /^expand-(bad-modifier|error-message): warning only there: UndefinedVar/ },
  { id: 'target-number', words: /^from-target-number: fails there/ },
  { id: 'store-platform', words: /^from-platform-mismatch: builds there, fails here/ },
  { id: 'context-as-base', words: /^context-folder-as-base: history/ },
];

const wanted = process.argv.slice(2);
const cases = readCases().filter(
  ({ name, group }) => wanted.length === 0 || wanted.includes(name) || wanted.includes(group),
);
const work = mkdtempSync(join(tmpdir(), 'strake-list-'));
const found = new Map<string, readonly string[]>();
try {
  const root = join(work, 'store');
  await using servers = await openServers(work);
  await makeBases({ root, work });
  await mapBounded(cases, 3, async (one) => {
    const golden = readGolden(one.hand === undefined ? one.group : 'by-hand').cases[one.name];
    const result = await buildWithStrake(one, placeCase(one, work, { places: servers.places, share: true }), root);
    const { said, ...kept } = result;
    if (!golden) console.log(`${one.name}: no golden data; here:\n${JSON.stringify(kept)}`);
    else found.set(one.name, await differencesOf(golden, result));
    if (golden?.error && result.error && one.fails?.test(result.error.text) !== true)
      console.log(`${one.name}: other words: ${result.error.text}\n  there: ${golden.error.text}`);
    if (/^ +at .*\.ts/m.test(said)) console.log(`${one.name}: a defect: ${said}`);
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}
const old = readListed();
const entries = [...new Set(REASONS.map(({ id }) => id))].map((id) => {
  const words = REASONS.filter((reason) => reason.id === id).map((reason) => reason.words);
  const kept = Object.entries(old.entries.find((entry) => entry.id === id)?.cases ?? {}).filter(
    ([name]) => !cases.some((one) => one.name === name),
  );
  const fresh = [...found].map(
    ([name, all]) => [name, all.filter((text) => words.some((one) => one.test(`${name}: ${text}`)))] as const,
  );
  const all = [...kept, ...fresh.filter(([, texts]) => texts.length > 0)].sort(([a], [b]) => (a < b ? -1 : 1));
  return { id, cases: Object.fromEntries(all) };
});
writeFileSync(join(import.meta.dirname, 'testdata/differences.json'), `${JSON.stringify(entries, undefined, 2)}\n`);
for (const [name, all] of [...found].sort(([a], [b]) => (a < b ? -1 : 1)))
  for (const text of all)
    if (!REASONS.some(({ words }) => words.test(`${name}: ${text}`))) console.log(`${name}: ${text}`);
