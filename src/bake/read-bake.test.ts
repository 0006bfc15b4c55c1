import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError } from '../base/index.ts';
import { DEFAULT_FILES, printed, readBake, resolveTargets } from './index.ts';

const cases = join(import.meta.dirname, 'testdata/cases');

function linesOf(path: string, by: RegExp): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(by).filter(Boolean) : [];
}

/** The flags of a case: those that have words of their own in the definition become overrides, as the command makes them. */
function flagsOf(folder: string): { files: string[]; wanted: string[]; overrides: string[] } {
  const words = linesOf(join(folder, 'args'), /\s+/);
  const found = { files: [] as string[], wanted: [] as string[], overrides: [] as string[] };
  const last: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '-f') found.files.push(words[(at += 1)] ?? '');
    else if (word === '--set') found.overrides.push(words[(at += 1)] ?? '');
    else if (word === '--push' || word === '--load') last.push(`*.${word.slice(2)}=true`);
    else if (word === '--no-cache' || word === '--pull') last.push(`*.${word.slice(2)}=true`);
    else if (word.startsWith('--provenance=')) last.push('*.attest=type=provenance,disabled=true');
    else if (word.startsWith('--sbom=')) last.push('*.attest=type=sbom,disabled=false');
    else found.wanted.push(word);
  }
  if (found.wanted.length === 0) found.wanted.push('default');
  // As the command adds them: sbom before provenance.
  found.overrides.push(
    ...last.filter((text) => !text.includes('attest')),
    ...last
      .filter((text) => text.includes('attest'))
      .toSorted()
      .toReversed(),
  );
  return found;
}

async function bake(folder: string): Promise<unknown> {
  const { files, wanted, overrides } = flagsOf(folder);
  const readText = (path: string): string | undefined =>
    existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : undefined;
  const names = files.length > 0 ? files : DEFAULT_FILES.filter((name) => existsSync(join(folder, name)));
  const env = Object.fromEntries(linesOf(join(folder, 'env'), /\n/).map((line) => line.split(/=([^]*)/).slice(0, 2)));
  const config = await readBake(
    names.map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') })),
    {
      env,
      vars: new Map(),
      builtins: new Map([
        ['BAKE_CMD_CONTEXT', 'cwd://'],
        ['BAKE_LOCAL_PLATFORM', 'linux/amd64'],
      ]),
      world: { clock: { now: () => 0 }, random: { hex: (bytes) => '0'.repeat(bytes * 2) }, home: '/root' },
      readText,
    },
  );
  return printed(resolveTargets(config, { wanted, overrides, env }));
}

for (const name of readdirSync(cases).sort()) {
  const folder = join(cases, name);
  const expected = join(folder, 'expected.json');
  if (existsSync(expected))
    test(`comes to what buildx makes of it: ${name}`, async () => {
      assert.deepEqual(sortedGroups(await bake(folder)), sortedGroups(JSON.parse(readFileSync(expected, 'utf8'))));
    });
  else
    test(`is refused as buildx does: ${name}`, async () => {
      await assert.rejects(bake(folder), CodedError);
    });
}

/** What a matrix comes to, and the ulimits of compose, are in no order in buildx. */
function sortedGroups(definition: unknown): unknown {
  const { group = {}, target } = structuredClone(definition) as {
    group?: Record<string, { targets: string[] }>;
    target: Record<string, { ulimits?: string[] }>;
  };
  for (const each of Object.values(group)) each.targets.sort();
  for (const each of Object.values(target)) each.ulimits?.sort();
  return { group, target };
}
