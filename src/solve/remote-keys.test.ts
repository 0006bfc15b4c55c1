import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, Database, type Json } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import { vertex, type Edge, type Op, type Vertex } from '../graph/index.ts';
import {
  KeyStore,
  Solver,
  type OpRunner,
  type RecordedStep,
  type RemoteKeys,
  type RemoteResult,
  type Results,
  type SolveEvent,
} from './index.ts';

/** One machine: steps are `pack` ops whose result is their name and inputs; `file` ops go by the content of their second input. `shared` is where results can be had by all machines. */
class Machine {
  readonly runs: string[] = [];
  readonly keys: KeyStore;
  readonly solver: Solver<string, undefined>;

  constructor(shared: Map<string, string>) {
    let ticks = 0;
    let randoms = 0;
    const clock = { now: () => ++ticks };
    this.keys = new KeyStore(Database.open(':memory:'), clock);
    const results: Results<string> = {
      content: async (result) => ({ digest: digestOf(result.replace(/\/.*?\)/, ')')) }),
      save: async (result) => {
        shared.set(digestOf(result), result);
        return { key: digestOf(result) };
      },
      load: async (record) => shared.get(record['key'] as string),
      share: async () => undefined,
      release: async () => undefined,
    };
    const runner: OpRunner<Op, string, undefined> = {
      cacheKey: async (op) => ({
        digest: digestOf(canonicalJson(op as unknown as Json)),
        inputs: op.kind === 'file' ? [{ by: 'recipe' }, { by: 'recipe-then-content', select: {} }] : [],
        parts: [],
      }),
      run: async (op, inputs) => {
        const name = op.kind === 'pack' ? op.format : op.kind;
        this.runs.push(name);
        return [`${name}(${inputs.join(',')})`];
      },
    };
    this.solver = new Solver<string, undefined>({
      runnerOf: () => runner,
      results,
      keys: this.keys,
      slots: { take: async () => ({ [Symbol.dispose]: () => undefined }) },
      clock,
      random: { hex: () => `${++randoms}` },
    });
  }

  async solve(
    top: Vertex,
    remote?: RemoteKeys,
  ): Promise<{ result: string; runs: string[]; events: SolveEvent[]; recorded: readonly RecordedStep[] }> {
    const events: SolveEvent[] = [];
    const before = this.runs.length;
    await using build = this.solver.open({ host: undefined, emit: (event) => void events.push(event), remote });
    const result = await build.result(at(top));
    return { result, events, runs: this.runs.slice(before), recorded: build.recorded() };
  }

  /** What this machine has of a build, as a cache for others. */
  cache(
    recorded: readonly RecordedStep[],
    o: { without?: (id: Digest) => boolean } = {},
  ): RemoteKeys & { asked: number } {
    const found = new Map<Digest, RemoteResult>();
    const inputs = new Set<Digest>();
    for (const { id, keys } of recorded)
      for (const key of keys) {
        found.set(key.digest, {
          id,
          outputs: o.without?.(id) ? [] : (this.keys.get(id)?.outputs ?? []),
          from: 'there',
        });
        for (const input of key.inputs) inputs.add(input);
      }
    const cache = {
      asked: 0,
      find: async (key: Digest) => {
        cache.asked += 1;
        return found.get(key);
      },
      isInput: (id: Digest) => inputs.has(id),
    };
    return cache;
  }
}

const at = (v: Vertex): Edge => ({ vertex: v, output: 0 });
const step = (name: string, ...inputs: Vertex[]): Vertex =>
  vertex({ kind: 'pack', format: name, options: {} }, inputs.map(at), { name });
const copy = (base: Vertex, from: Vertex): Vertex =>
  vertex({ kind: 'file', actions: [] }, [base, from].map(at), { name: 'copy' });
const anew = (v: Vertex): Vertex => ({ ...v, label: { ...v.label, ignoreCache: true } });

test('a machine with nothing but a cache elsewhere runs nothing, says where each step was found, and needs the cache no more', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  const top = step('d', copy(step('base'), step('c', step('b'))));
  const first = await here.solve(top);
  const there = new Machine(shared);
  const cache = here.cache(first.recorded);
  const second = await there.solve(top, cache);
  assert.deepEqual([second.result, second.runs], [first.result, []]);
  const from = second.events.flatMap((e) => (e.kind === 'cached' && e.verdict.hit ? [e.verdict.from] : []));
  assert.deepEqual(from, ['there', 'there', 'there', 'there', 'there']);
  assert.deepEqual((await there.solve(top)).runs, []);
  const asked = cache.asked;
  assert.deepEqual((await there.solve(top, cache)).runs, []);
  assert.equal(cache.asked, asked, 'what is on record here is not asked for elsewhere');
});

test('only what has changed runs', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  const below = step('b', step('a'));
  const cache = here.cache((await here.solve(step('c', below))).recorded);
  const there = new Machine(shared);
  assert.deepEqual((await there.solve(step('C', below), cache)).runs, ['C']);
});

test('a cache that knows only the names of results below still leads to the one above', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  // The stage has an id that nobody could guess: it was told to run anew.
  const stage = step('b', step('a'));
  const first = await here.solve(step('top', copy(step('base'), anew(stage))));
  const stageIds = first.recorded.slice(1, 3).map(({ id }) => id);
  const cache = here.cache(first.recorded, { without: (id) => stageIds.includes(id) });
  const there = new Machine(shared);
  const again = await there.solve(step('top', copy(step('base'), stage)), cache);
  assert.deepEqual([again.result, again.runs], [first.result, []]);
});

test('a result whose bytes are gone elsewhere, too, runs anew', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  const top = step('b', step('a'));
  const first = await here.solve(top);
  shared.delete(digestOf(first.result));
  const there = new Machine(shared);
  assert.deepEqual((await there.solve(top, here.cache(first.recorded))).runs, ['b']);
});

test('a result that is gone here is taken from elsewhere', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  const top = step('b', step('a'));
  const first = await here.solve(top);
  const mine = new Map<string, string>();
  const there = new Machine(mine);
  await there.solve(top);
  mine.clear();
  const cache = here.cache(first.recorded);
  const lending: RemoteKeys = {
    isInput: (id) => cache.isInput(id),
    find: async (key) => {
      for (const [name, result] of shared) mine.set(name, result);
      return cache.find(key);
    },
  };
  assert.deepEqual((await there.solve(top, lending)).runs, []);
});

test('what is on record here is never replaced by what a cache says', async () => {
  const shared = new Map<string, string>();
  const there = new Machine(shared);
  const honest = await there.solve(step('a'));
  const id = honest.recorded[0]?.id as Digest;
  shared.set('evil', 'evil');
  const lying: RemoteKeys = { isInput: () => false, find: async () => ({ id, outputs: [{ key: 'evil' }], from: 'x' }) };
  assert.equal((await there.solve(step('other'), lying)).result, honest.result);
  assert.equal((await there.solve(step('a'), lying)).result, honest.result);
});

test('after a cache that knew only names of results below, builds without it begin nothing that nobody needs', async () => {
  const shared = new Map<string, string>();
  const here = new Machine(shared);
  const top = step('top', copy(step('base'), step('c', step('b', step('a')))));
  const first = await here.solve(top);
  const below = first.recorded.slice(1, 4).map(({ id }) => id);
  const cache = here.cache(first.recorded, { without: (id) => below.includes(id) });
  const there = new Machine(shared);
  assert.deepEqual((await there.solve(top, cache)).runs, []);
  assert.deepEqual((await there.solve(top)).runs, []);
  // What is needed after all runs, and is on record then.
  assert.deepEqual((await there.solve(step('d', step('c', step('b', step('a')))))).runs, ['a', 'b', 'c', 'd']);
  assert.deepEqual((await there.solve(step('e', step('c', step('b', step('a')))))).runs, ['e']);
});
