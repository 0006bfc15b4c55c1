import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, CodedError, Database, kindOf, type Clock, type Json } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { vertex, type Edge, type Op, type Vertex } from '../graph/index.ts';
import { KeyStore, Solver, type OpRunner, type Results, type SolveEvent } from './index.ts';

/** A toy world: results are texts; `pack` ops of format "name" run by applying what the test says; `local` sources are volatile. */
interface World {
  readonly runs: string[];
  readonly solver: Solver<string, World>;
  readonly sources: Map<string, string>;
  readonly stored: Map<string, string>;
  behaviour(
    name: string,
    inputs: readonly string[],
    signal: AbortSignal,
    stopOthers: (failure: unknown) => Promise<boolean>,
  ): Promise<string>;
  session: number;
}

function world(db = Database.open(':memory:'), stored = new Map<string, string>()): World {
  let ticks = 0;
  let randoms = 0;
  const clock: Clock = { now: () => ++ticks };
  const results: Results<string> = {
    content: async (result, select) => ({ digest: digestOf(`${canonicalJson(select)} ${result}`) }),
    save: async (result) => {
      const key = digestOf(result);
      stored.set(key, result);
      return { key };
    },
    load: async (record) => stored.get(record['key'] as string),
    share: async () => undefined,
    release: async () => undefined,
  };
  const runner: OpRunner<Op, string, World> = {
    cacheKey: async (op, { host }) => {
      if (op.kind === 'source' && op.source.type === 'local')
        return { digest: digestOf(`local ${host.session}`), inputs: [], parts: [], volatile: true, unrecorded: true };
      if (op.kind === 'file')
        return {
          digest: digestOf(canonicalJson(op as unknown as Json)),
          inputs: [{ by: 'recipe' }, { by: 'recipe-then-content', select: {} }],
          parts: [],
        };
      return { digest: digestOf(canonicalJson(op as unknown as Json)), inputs: [], parts: [] };
    },
    run: async (op, inputs, context) => {
      const { host, signal } = context;
      if (op.kind === 'source' && op.source.type === 'local') return [host.sources.get(op.source.name) ?? ''];
      const name = op.kind === 'pack' ? op.format : op.kind;
      host.runs.push(name);
      return [await host.behaviour(name, inputs, signal as AbortSignal, (failure) => context.stopOthers(failure))];
    },
  };
  const solver = new Solver<string, World>({
    runnerOf: () => runner,
    results,
    keys: new KeyStore(db, clock),
    slots: { take: async () => ({ [Symbol.dispose]: () => undefined }) },
    clock,
    random: { hex: () => String(++randoms) },
  });
  return {
    runs: [],
    solver,
    sources: new Map(),
    stored,
    session: 1,
    behaviour: async (name, inputs) => `${name}(${inputs.join(',')})`,
  };
}

const at = (v: Vertex): Edge => ({ vertex: v, output: 0 });
const step = (name: string, ...inputs: Vertex[]): Vertex =>
  vertex({ kind: 'pack', format: name, options: {} }, inputs.map(at), { name });
const fresh = (v: Vertex): Vertex => ({ ...v, label: { ...v.label, ignoreCache: true } });
const local = (name: string): Vertex => vertex({ kind: 'source', source: { type: 'local', name } }, [], { name });
const copy = (base: Vertex, from: Vertex): Vertex =>
  vertex({ kind: 'file', actions: [] }, [base, from].map(at), { name: 'copy' });

async function solve(
  w: World,
  v: Vertex,
  o: { signal?: AbortSignal } = {},
): Promise<{ result: string; events: SolveEvent[]; runs: string[] }> {
  const events: SolveEvent[] = [];
  w.session += 1;
  const before = w.runs.length;
  await using build = w.solver.open({ host: w, emit: (event) => void events.push(event), signal: o.signal });
  const result = await build.result(at(v));
  return { result, events, runs: w.runs.slice(before) };
}

const verdicts = (events: SolveEvent[]): (string | undefined)[] =>
  events.filter((e) => e.kind === 'cached').map((e) => (e.verdict.hit ? e.verdict.by : undefined));

test('a chain runs once and is then found by its recipe, running nothing', async () => {
  const w = world();
  const chain = step('c', step('b', step('a')));
  assert.equal((await solve(w, chain)).result, 'c(b(a()))');
  const again = await solve(w, chain);
  assert.deepEqual(
    [again.result, again.runs, verdicts(again.events)],
    ['c(b(a()))', [], ['recipe', 'recipe', 'recipe']],
  );
});

test('a vertex asked for by several steps runs once, and independent steps run side by side', async () => {
  const w = world();
  let running = 0;
  let most = 0;
  w.behaviour = async (name, inputs) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return `${name}(${inputs.join(',')})`;
  };
  const base = step('base');
  const both = await solve(w, step('top', step('l', base), step('r', base)));
  assert.equal(both.result, 'top(l(base()),r(base()))');
  assert.deepEqual(
    both.runs.filter((name) => name === 'base'),
    ['base'],
  );
  assert.equal(most, 2);
});

test('stages that are copied one after the other onto a base run side by side, with the base', async () => {
  const w = world();
  const running = new Set<string>();
  const all = Promise.withResolvers<void>();
  w.behaviour = async (name, inputs) => {
    if (name === 'file') return `copied(${inputs.join(',')})`;
    running.add(name);
    if (running.size === 4) all.resolve();
    await all.promise;
    return name;
  };
  const graph = ['s1', 's2', 's3'].reduce((below, name) => copy(below, step(name)), step('base'));
  assert.match((await solve(w, graph)).result, /base.*s1.*s2.*s3/);
  const again = await solve(w, graph);
  assert.deepEqual([again.runs, again.events.filter((e) => e.kind === 'started').length], [[], 0]);
});

test('what a step on record was made of does not run because its own record is gone', async () => {
  const db = Database.open(':memory:');
  const w = world(db);
  const keys = new KeyStore(db, { now: () => 5 });
  const graph = step('top', copy(step('base'), step('stage')));
  await solve(w, graph);
  for (const made of ['base()', 'stage()']) {
    const result = keys.list().find(({ outputs }) => w.stored.get(outputs[0]?.['key'] as string) === made);
    assert.ok(result && keys.forget(result.id));
    assert.deepEqual((await solve(w, graph)).runs, []);
  }
  assert.equal(keys.list().length, 2);
});

test('a copy from a folder is found by content: the same content in a new session runs nothing, other content runs the copy and what follows', async () => {
  const w = world();
  const graph = (): Vertex => step('run', copy(step('base'), local('ctx')));
  w.sources.set('ctx', 'one');
  assert.deepEqual((await solve(w, graph())).runs, ['base', 'file', 'run']);
  const same = await solve(w, graph());
  assert.deepEqual([same.runs, verdicts(same.events)], [[], ['recipe', 'content', 'recipe']]);
  w.sources.set('ctx', 'two');
  assert.deepEqual((await solve(w, graph())).runs, ['file', 'run']);
  w.sources.set('ctx', 'one');
  assert.deepEqual((await solve(w, graph())).runs, []);
});

test('equal content found by one path is the same input to all that follows', async () => {
  const w = world();
  w.behaviour = async (name) => (name.startsWith('make') ? 'same output' : `${name}!`);
  const graph = (make: string): Vertex => step('after', copy(step('base'), step(make)));
  await solve(w, graph('make 1'));
  assert.deepEqual((await solve(w, graph('make 2'))).runs, ['make 2']);
  assert.deepEqual((await solve(w, graph('make 2'))).runs, []);
});

test('a result that is gone is made again, with what it needs', async () => {
  const w = world();
  const graph = step('b', step('a'));
  await solve(w, graph);
  w.stored.clear();
  const again = await solve(w, graph);
  assert.deepEqual([again.result, again.runs], ['b(a())', ['a', 'b']]);
  assert.deepEqual((await solve(w, graph)).runs, []);
});

test('a step told to ignore the cache runs anew, and so does all that follows it', async () => {
  const w = world();
  await solve(w, step('c', step('b', step('a'))));
  assert.deepEqual((await solve(w, step('c', fresh(step('b', step('a')))))).runs, ['b', 'c']);
  assert.deepEqual((await solve(w, step('c', step('b', step('a'))))).runs, []);
});

test('what follows a folder by recipe only is never cached', async () => {
  const w = world();
  w.sources.set('ctx', 'x');
  const graph = (): Vertex => step('run', local('ctx'));
  assert.deepEqual((await solve(w, graph())).runs, ['run']);
  assert.deepEqual((await solve(w, graph())).runs, ['run']);
});

test('the first failure is thrown once everything else has ended, and told of at its own step only', async () => {
  const w = world();
  let ended = false;
  w.behaviour = async (name, _inputs, signal) => {
    if (name === 'bad') throw new CodedError({ code: 'BAD', kind: 'failed', message: 'bad went wrong' });
    if (name === 'slow')
      await new Promise<void>((resolve) =>
        signal.addEventListener('abort', () =>
          setImmediate(() => {
            ended = true;
            resolve();
          }),
        ),
      );
    return name;
  };
  const events: SolveEvent[] = [];
  await using build = w.solver.open({ host: w, emit: (event) => void events.push(event) });
  await assert.rejects(build.result(at(step('top', step('bad'), step('slow')))), { code: 'BAD' });
  assert.equal(ended, true);
  const failed = events.filter(
    (e) => e.kind === 'completed' && e.error instanceof CodedError && e.error.code === 'BAD',
  );
  assert.equal(failed.length, 1);
});

test('a failed step names the place it was written at', async () => {
  const w = world();
  w.behaviour = async () => {
    throw new CodedError({ code: 'BAD', kind: 'failed', message: 'no' });
  };
  const v = vertex({ kind: 'pack', format: 'x', options: {} }, [], {
    name: 'x',
    place: { file: 'Dockerfile', line: 3 },
  });
  await assert.rejects(solve(w, v), { code: 'BAD', place: { file: 'Dockerfile', line: 3 } });
});

test('cancelling ends the build with the reason, and nothing is recorded', async () => {
  const w = world();
  const controller = new AbortController();
  w.behaviour = async (name, _i, signal) => {
    if (name !== 'a') return name;
    const aborted = new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
    controller.abort(new Error('ctrl-c'));
    return (await aborted) as string;
  };
  await assert.rejects(solve(w, step('b', step('a')), { signal: controller.signal }), { kind: 'cancelled' });
  w.behaviour = async (name) => name;
  assert.deepEqual((await solve(w, step('b', step('a')))).runs, ['a', 'b']);
});

test('two builds at once share a running step, which goes on when only one of them is cancelled', async () => {
  const w = world();
  const first = new AbortController();
  let starts = 0;
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  w.behaviour = async (name) => {
    starts += 1;
    started.resolve();
    await finish.promise;
    return name;
  };
  const one = assert.rejects(solve(w, step('a'), { signal: first.signal }), { kind: 'cancelled' });
  await started.promise;
  const two = solve(w, step('a'));
  await new Promise((resolve) => setImmediate(resolve));
  first.abort(new Error('gone'));
  await one;
  finish.resolve();
  assert.equal((await two).result, 'a');
  assert.equal(starts, 1);
});

test('a step that waits for the run of another build has its own story, also when that run fails', async () => {
  const w = world();
  for (const fails of [false, true]) {
    const finish = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    w.behaviour = async (name) => {
      started.resolve();
      await finish.promise;
      if (fails) throw new CodedError({ code: 'BAD', kind: 'failed', message: 'bad went wrong' });
      return name;
    };
    const events: SolveEvent[][] = [[], []];
    const runs = events.map(async (list, i) => {
      if (i === 1) await started.promise;
      await using build = w.solver.open({ host: w, emit: (event) => void list.push(event) });
      return await build.result(at(step(`a ${fails}`)));
    });
    await started.promise;
    await new Promise((resolve) => setImmediate(resolve));
    finish.resolve();
    const ended = await Promise.allSettled(runs);
    assert.deepEqual(
      ended.map(({ status }) => status),
      fails ? ['rejected', 'rejected'] : ['fulfilled', 'fulfilled'],
    );
    for (const list of events) {
      assert.deepEqual(
        list.map(({ kind }) => kind).filter((kind) => kind !== 'note'),
        ['vertex', 'started', 'completed'],
      );
      const last = list.at(-1);
      assert.equal(last?.kind === 'completed' && last.error instanceof CodedError, fails);
    }
  }
  assert.equal(w.runs.length, 2);
});

test('steps that are stopped because another one failed are told of as cancelled', async () => {
  const w = world();
  w.behaviour = async (name, _inputs, signal) => {
    if (name === 'bad') throw new CodedError({ code: 'BAD', kind: 'failed', message: 'bad went wrong' });
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    return name;
  };
  const events: SolveEvent[] = [];
  await using build = w.solver.open({ host: w, emit: (event) => void events.push(event) });
  const slow = step('slow');
  await assert.rejects(build.result(at(step('top', slow, step('bad')))), { code: 'BAD' });
  const stopped = events.find((e) => e.kind === 'completed' && e.digest === slow.digest);
  assert.equal(stopped?.kind === 'completed' && kindOf(stopped.error), 'cancelled');
});

test('nothing begins after a failure was thrown, not even by work that ended late', async () => {
  const w = world();
  const late = Promise.withResolvers<void>();
  w.behaviour = async (name) => {
    if (name === 'bad') {
      setImmediate(() => late.resolve());
      throw new Error('bad');
    }
    await late.promise;
    return name;
  };
  await using build = w.solver.open({ host: w, emit: () => undefined });
  await assert.rejects(build.result(at(step('top', step('bad'), step('b', step('a'))))));
  const begun = w.runs.length;
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(w.runs.length, begun);
});

test('of two processes that made the same step the first to record it stands, for both', async () => {
  const db = Database.open(':memory:');
  const stored = new Map<string, string>();
  const [one, two] = [world(db, stored), world(db, stored)];
  const firstDone = Promise.withResolvers<void>();
  two.behaviour = async () => {
    await firstDone.promise;
    return 'from two';
  };
  one.behaviour = async () => 'from one';
  const second = solve(two, step('a'));
  assert.equal((await solve(one, step('a'))).result, 'from one');
  firstDone.resolve();
  assert.equal((await second).result, 'from one');
  assert.deepEqual(two.runs, ['a']);
  stored.clear();
  two.behaviour = async () => 'again';
  assert.equal((await solve(two, step('a'))).result, 'again');
  assert.equal((await solve(one, step('a'))).result, 'again');
});

test('results that no key leads to any more are forgotten on request', async () => {
  const db = Database.open(':memory:');
  const w = world(db);
  await solve(w, step('a'));
  await solve(w, fresh(step('a')));
  const keys = new KeyStore(db, { now: () => 99 });
  const before = keys.version();
  assert.equal(keys.list().length, 2);
  assert.equal(keys.forgetUnreachable(), 1);
  assert.notEqual(keys.version(), before);
  assert.deepEqual((await solve(w, step('a'))).runs, []);
});

test('keys survive in the database for the next process, and used results are touched', async () => {
  const db = Database.open(':memory:');
  const stored = new Map<string, string>();
  await solve(world(db, stored), step('b', step('a')));
  const next = world(db, stored);
  assert.deepEqual((await solve(next, step('b', step('a')))).runs, []);
  const ids = new KeyStore(db, { now: () => 99 }).list().map((r) => r.id);
  assert.equal(ids.length, 2);
});

test('a step that has failed can have all others stopped before it gives up, and the build ends with its failure', async () => {
  const w = world();
  const [slow, bad] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const story: string[] = [];
  w.behaviour = async (name, inputs, signal, stopOthers) => {
    if (name === 'other') {
      slow.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setImmediate(resolve));
      story.push('the other has put its things away');
      throw new CodedError({ code: 'X', kind: 'cancelled', message: 'cancelled' });
    }
    if (name !== 'bad') return `${name}(${inputs.join(',')})`;
    await Promise.all([slow.promise, bad.promise]);
    const failure = new CodedError({ code: 'BAD', kind: 'failed', message: 'bad' });
    assert.equal(await stopOthers(failure), true);
    story.push(`looked at, ${signal.aborted ? 'cancelled' : 'not cancelled'}`);
    throw failure;
  };
  bad.resolve();
  const events: SolveEvent[] = [];
  await using build = w.solver.open({ host: w, emit: (event) => void events.push(event) });
  // What waits for both, and another result that is asked for, do not end it before its time.
  const results = [step('top', step('after', step('bad')), step('other')), step('more', step('other'))].map((v) =>
    build.result(at(v)).catch((error: unknown) => error),
  );
  for (const error of await Promise.all(results)) assert.equal((error as CodedError).code, 'BAD');
  assert.deepEqual(story, ['the other has put its things away', 'looked at, not cancelled']);
  const ended = events.flatMap((e) => (e.kind === 'completed' ? [e.error] : []));
  assert.deepEqual(ended.map(kindOf), ['cancelled', 'failed']);
});

test('a step that is looked at is cancelled with its build; where the build is over already it is not looked at', async () => {
  const w = world();
  const stop = new AbortController();
  const answers: unknown[] = [];
  w.behaviour = async (_name, _inputs, signal, stopOthers) => {
    answers.push(await stopOthers(new Error('bad')));
    stop.abort();
    await new Promise((resolve) => setImmediate(resolve));
    answers.push(signal.aborted, await stopOthers(new Error('bad')));
    throw new CodedError({ code: 'X', kind: 'cancelled', message: 'cancelled' });
  };
  await assert.rejects(solve(w, step('a'), { signal: stop.signal }));
  assert.deepEqual(answers, [true, true, false]);
});
