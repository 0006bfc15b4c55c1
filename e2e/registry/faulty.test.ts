import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FaultProxy, type Fault } from '../../src/registry/testing/fault-proxy.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { dockerRegistry, lacking, skopeo } from './world.ts';

const BUILDS = process.env['STRAKE_TEST_FULL'] === '1' ? 100 : 10;
/** Of a hundred requests so many go wrong. */
const FAULTY = 12;
/** A store serves so many builds: a new one has to fetch the base again. */
const BUILDS_PER_STORE = 5;

const seed = Number(process.env['STRAKE_SEED'] ?? randomBytes(4).readUInt32LE());

/** Numbers below `bound`, the same for the same seed (mulberry32). */
function numbers(start: number): (bound: number) => number {
  let state = start;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

function randomFault(below: (bound: number) => number): Fault {
  switch (below(7)) {
    case 0:
      return { kind: 'reset', after: below(2) === 0 ? 0 : below(400_000) };
    case 1:
      return { kind: 'reset-upload', after: below(300_000) };
    case 2:
      return { kind: 'truncate', after: below(400_000) };
    case 3:
      return { kind: 'corrupt', at: below(400_000) };
    case 4:
      return { kind: 'status', status: 500, body: 'out of order' };
    case 5:
      return { kind: 'status', status: 429, headers: { 'retry-after': String(below(2)) } };
    default:
      return { kind: 'slow', ms: below(400) };
  }
}

test(
  `${BUILDS} builds in a row on a registry that resets, refuses, delays, cuts short and spoils (seed ${seed}, must show 8)`,
  { skip: lacking('docker-registry', 'skopeo') ?? false },
  async (t) => {
    const below = numbers(seed);
    using world = emptyStore();
    await using registry = await dockerRegistry(folderIn(world, 'registry'));
    const context = folderIn(world, 'context');
    for (const name of ['one', 'two', 'three']) writeFileSync(join(context, name), randomBytes(300_000));
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY one /\nCOPY two /\nCOPY three /\n');
    await ok(['build', '-t', `${registry.host}/base:1`, '--push', context], world);

    await using proxy = await FaultProxy.listen(new URL(`http://${registry.host}`));
    const injected = new Map<string, number>();
    proxy.choose(() => {
      if (below(100) >= FAULTY) return undefined;
      const fault = randomFault(below);
      injected.set(fault.kind, (injected.get(fault.kind) ?? 0) + 1);
      return fault;
    });
    let failed = 0;
    for (let first = 0; first < BUILDS; first += BUILDS_PER_STORE) {
      using store = emptyStore();
      const own = folderIn(store, 'context');
      writeFileSync(join(own, 'Dockerfile'), `FROM ${proxy.host}/base:1\nCOPY own /\n`);
      for (let build = first; build < Math.min(BUILDS, first + BUILDS_PER_STORE); build++) {
        writeFileSync(join(own, 'own'), `${build}`);
        const archive = join(store.work, `${build}.tar`);
        const iid = join(store.work, 'iid');
        const args = ['-t', `${proxy.host}/app:${build}`, '--push', '-o', `type=oci,dest=${archive}`, '--iidfile', iid];
        const got = await strake(['build', '--progress=plain', ...args, own], store);
        assert.doesNotMatch(got.stderr, /^ +at /m, 'a stack trace');
        if (got.code !== 0) {
          failed += 1;
          assert.ok([1, 69, 75].includes(got.code), `exit code ${got.code}: ${got.stderr}`);
          assert.match(got.stderr, /^error: .+$/m);
          continue;
        }
        // Each reads every blob and checks its digest.
        const pushed = join(store.work, `pushed-${build}`);
        const image = `docker://${registry.host}/app:${build}`;
        await skopeo(store.work, 'copy', '--src-tls-verify=false', image, `oci:${pushed}:x`);
        await skopeo(store.work, 'copy', `oci-archive:${archive}`, `oci:${join(store.work, `saved-${build}`)}:x`);
        const { config } = JSON.parse(await skopeo(store.work, 'inspect', '--raw', `oci:${pushed}:x`)) as {
          config: { digest: string };
        };
        assert.equal(config.digest, readFileSync(iid, 'utf8'));
      }
      await ok(['doctor', '--check-store'], store);
      assert.deepEqual(leftovers(store.root), []);
    }
    const told = [...injected].map(([kind, count]) => `${count} ${kind}`).join(', ');
    t.diagnostic(`${BUILDS} builds, ${failed} failed cleanly; of ${proxy.seen.length} requests: ${told}`);
    assert.ok(injected.size > 2, `too few faults: ${told}`);
    assert.ok(failed <= BUILDS / 4, `${failed} of ${BUILDS} builds failed`);
  },
);

function folderIn(store: TestStore, name: string): string {
  const path = join(store.work, name);
  mkdirSync(path, { recursive: true });
  return path;
}
