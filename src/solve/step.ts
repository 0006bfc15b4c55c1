import { canonicalJson, kindOf, messageOf } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import type { Vertex } from '../graph/index.ts';
import type { RecordedKey, StoredResult } from './key-store.ts';
import type { FoundResult } from './remote-keys.ts';
import type { Solve } from './solve.ts';
import { placed } from './placed.ts';
import { textsOf } from './texts-of.ts';
import type { CacheKey, CacheVerdict, InputKey, StepContext } from './types.ts';

interface Input<R, H> {
  readonly step: Step<R, H>;
  readonly output: number;
}

/** What is known of a step before it runs. `id` stands for its result in the keys of the steps after it. */
interface Identity {
  readonly id: Digest;
  /** No later solve could find it by this. */
  readonly volatile: boolean;
  readonly key: CacheKey;
  /** Keys to record the result under, once there is one. */
  readonly keys: readonly RecordedKey[];
  readonly found: StoredResult | undefined;
  readonly verdict: CacheVerdict;
  /** For each input the list of what is read of it, as the build's trace names it; null where that was not looked at. */
  readonly contents: readonly (Digest | null)[];
}

/**
 * One vertex in one build. First it is identified: its key is made from its op and its inputs' identities, cheaply; only where that finds nothing, and the op allows it, from the content of its inputs. Nothing
 * runs for that but what content is asked of, and what is bound to run: a step that no key on record was made of. Then, only if somebody asks for the result, it is loaded or run.
 */
export class Step<R, H> {
  readonly vertex: Vertex;
  readonly #solve: Solve<R, H>;
  readonly #inputs: readonly Input<R, H>[];
  #started = false;
  #reported = false;
  #identity: Promise<Identity> | undefined;
  #known: Identity | undefined;
  #results: Promise<readonly R[]> | undefined;

  constructor(solve: Solve<R, H>, vertex: Vertex, inputs: readonly Input<R, H>[]) {
    this.#solve = solve;
    this.vertex = vertex;
    this.#inputs = inputs;
  }

  /** The identity, once it is known. */
  get known(): Identity | undefined {
    return this.#known;
  }

  identity(): Promise<Identity> {
    this.#identity ??= this.#solve.track(this.#identify().then((identity) => this.#note(identity)));
    return this.#identity;
  }

  /**
   * The identity, for a step that is made of this one's. Where nothing on record was ever made of it, this one's result will be needed, by what is made of it or by who asks for its content: so it begins now, beside its
   * neighbours.
   */
  async begin(): Promise<Identity> {
    const identity = await this.identity();
    if (!identity.found && !this.#solve.keys.isInput(identity.id)) this.results().catch(() => undefined);
    return identity;
  }

  results(): Promise<readonly R[]> {
    this.#results ??= this.#solve.track(this.#obtain());
    return this.#results;
  }

  async #identify(): Promise<Identity> {
    const { solver } = this.#solve;
    const { keys, random } = solver.options;
    const runner = solver.options.runnerOf(this.vertex.op);
    try {
      const key = await runner.cacheKey(this.vertex.op, this.#context(this.#solve.signal));
      const kinds = this.#inputs.map((_, index) => key.inputs[index] ?? RECIPE);
      const recipes = await Promise.all(
        this.#inputs.map((input, i) => (kinds[i]?.by === 'content' ? Promise.resolve(undefined) : input.step.begin())),
      );
      const volatileRecipe = key.volatile === true || recipes.some((identity) => identity?.volatile);
      const hasSlow = kinds.some((kind) => kind.by !== 'recipe');
      const hasFast = kinds.every((kind) => kind.by !== 'content');
      const ignore = this.vertex.label.ignoreCache === true;

      const fast = hasFast
        ? this.#combine(
            key,
            recipes.map((r, i) => ({ recipe: r?.id ?? null, output: this.#inputs[i]?.output ?? 0 })),
          )
        : undefined;
      const idsOf = (by: (kind: InputKey) => boolean): Digest[] =>
        recipes.flatMap((recipe, i) => (recipe && by(kinds[i] ?? RECIPE) ? [recipe.id] : []));
      const fastKey = fast === undefined ? [] : [{ digest: fast, inputs: idsOf(() => true) }];
      if (key.unrecorded) {
        const verdict: CacheVerdict = { hit: false, reason: 'not cacheable' };
        const id = fast ?? key.digest;
        return { id, volatile: volatileRecipe, key, keys: [], found: undefined, verdict, contents: [] };
      }
      const fastUseful = fast !== undefined && !volatileRecipe;
      const lookUp = { signal: this.#solve.signal };
      if (fastUseful && !ignore) {
        const found = await this.#solve.keys.find({ digest: fast, inputs: idsOf(() => true) }, lookUp);
        if (found) return this.#hit(key, found, { by: 'recipe', keys: fastKey, contents: [] });
      }
      let slowKey: RecordedKey | undefined;
      let contents: readonly (Digest | null)[] = [];
      const slowUseful =
        hasSlow && !kinds.some((kind, i) => kind.by === 'recipe' && recipes[i]?.volatile) && key.volatile !== true;
      if (slowUseful) {
        const slow = await this.#contentKey(key, kinds, recipes);
        ({ contents } = slow);
        slowKey = { digest: slow.digest, inputs: idsOf(({ by }) => by === 'recipe') };
        const found = ignore ? undefined : await this.#solve.keys.find(slowKey, lookUp);
        if (found) {
          for (const further of fastUseful ? fastKey : []) keys.link(further, found.stored.id);
          return this.#hit(key, found, { by: 'content', keys: [slowKey, ...(fastUseful ? fastKey : [])], contents });
        }
      }
      const record = [...(slowKey ? [slowKey] : []), ...(fastUseful ? fastKey : [])];
      const base = record[0]?.digest ?? fast ?? key.digest;
      // A step that was told to run anew is another one to all that follow it, but for builds that do so together.
      const { anew } = this.#solve;
      const shared = ignore && anew !== undefined && record[0] ? digestOf(`${base} ${anew}`) : undefined;
      const done = shared && record[0] && (await this.#solve.keys.find(record[0], lookUp));
      if (done && done.stored.id === shared)
        return this.#hit(key, done, { by: slowKey ? 'content' : 'recipe', keys: record, contents });
      return {
        id: shared ?? (ignore || record.length === 0 ? digestOf(`${base} ${random.hex(16)}`) : base),
        volatile: record.length === 0,
        key,
        keys: record,
        found: undefined,
        contents,
        verdict: { hit: false, reason: ignore ? 'cache ignored' : record.length === 0 ? 'not cacheable' : 'no entry' },
      };
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #note(identity: Identity): Identity {
    const { found, verdict } = identity;
    this.#solve.trace?.identified(this.vertex.digest, {
      ...identity,
      hit: found !== undefined,
      from: verdict.hit ? verdict.from : undefined,
    });
    this.#known = identity;
    return identity;
  }

  #hit(
    key: CacheKey,
    { stored: found, from }: FoundResult,
    o: { by: 'recipe' | 'content'; keys: readonly RecordedKey[]; contents: Identity['contents'] },
  ): Identity {
    const verdict: CacheVerdict = { hit: true, by: o.by, record: found.id, ...(from === undefined ? {} : { from }) };
    const at = this.#solve.solver.options.clock.now();
    this.#solve.emit({ kind: 'cached', digest: this.vertex.digest, at, verdict });
    this.#solve.use(found.id);
    return { id: found.id, volatile: false, key, keys: o.keys, found, verdict, contents: o.contents };
  }

  async #contentKey(
    key: CacheKey,
    kinds: readonly InputKey[],
    recipes: readonly (Identity | undefined)[],
  ): Promise<{ readonly digest: Digest; readonly contents: Identity['contents'] }> {
    const { results } = this.#solve.solver.options;
    const contents = this.#inputs.map((): Digest | null => null);
    const members = await Promise.all(
      this.#inputs.map(async (input, i) => {
        const kind = kinds[i] ?? RECIPE;
        if (kind.by === 'recipe') return { recipe: recipes[i]?.id ?? null, output: input.output };
        const result = (await input.step.results())[input.output];
        if (result === undefined) return { recipe: null, output: input.output };
        const content = await results.content(result, kind.select, this.#context(this.#solve.signal));
        contents[i] = this.#solve.trace?.content(content, kind.select) ?? null;
        return { content: content.digest };
      }),
    );
    return { digest: this.#combine(key, members), contents };
  }

  #combine(key: CacheKey, inputs: readonly { readonly [name: string]: string | number | null }[]): Digest {
    return digestOf(canonicalJson({ step: key.digest, inputs }));
  }

  async #obtain(): Promise<readonly R[]> {
    const identity = await this.identity();
    const { keys } = this.#solve.solver.options;
    try {
      if (identity.found) {
        const loaded = await this.#load(identity.found);
        if (loaded) return loaded;
        keys.forget(identity.found.id);
        const again = await this.#solve.keys.findAgain(identity.keys, { signal: this.#solve.signal });
        const reloaded = again && (await this.#load(again));
        if (reloaded) return reloaded;
        if (again) keys.forget(again.id);
        this.#solve.trace?.lost(this.vertex.digest);
        this.#context(this.#solve.signal).note('the cached result is gone, running again');
      }
      const outputs = await this.#runOrJoin(identity);
      this.#solve.own(outputs);
      return outputs;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Runs, or waits for another build of this process that runs the same step; takes over when that one is cancelled. */
  async #runOrJoin(identity: Identity): Promise<readonly R[]> {
    const { runs, options } = this.#solve.solver;
    const signal = this.#solve.signalFor(this.vertex);
    let own = false;
    if (runs.isRunning(identity.id)) {
      this.#emitStarted();
      this.#context(signal).note('the same step is running already, waiting for it');
    }
    const work = (w: { signal: AbortSignal }): Promise<readonly R[]> => {
      own = true;
      return this.#run(identity, w.signal);
    };
    const outputs = await runs.run(identity.id, work, { signal });
    if (!own) {
      await Promise.all(outputs.map((output) => options.results.share(output, this.#context(signal))));
      this.#emitCompleted();
    }
    return outputs;
  }

  async #load(found: StoredResult): Promise<readonly R[] | undefined> {
    const { results } = this.#solve.solver.options;
    // Only the name of the result is on record.
    if (found.outputs.length === 0) return undefined;
    const loaded: R[] = [];
    for (const record of found.outputs) {
      const result = await results.load(record, this.#context(this.#solve.signal));
      if (result === undefined) {
        await Promise.all(loaded.map((r) => results.release(r)));
        return undefined;
      }
      loaded.push(result);
    }
    this.#solve.own(loaded);
    return loaded;
  }

  async #run(identity: Identity, signal: AbortSignal): Promise<readonly R[]> {
    const inputs = await Promise.all(
      this.#inputs.map(async (input) => {
        const result = (await input.step.results())[input.output];
        if (result === undefined)
          throw new TypeError(`step "${input.step.vertex.label.name}" has no output ${input.output}`);
        return result;
      }),
    );
    return this.#solve.runs(this.vertex, this.#runOn(inputs, { identity, signal }));
  }

  async #runOn(
    inputs: readonly R[],
    { identity, signal }: { readonly identity: Identity; readonly signal: AbortSignal },
  ): Promise<readonly R[]> {
    const { slots, runnerOf } = this.#solve.solver.options;
    using slot = await slots.take(this.vertex, { signal });
    void slot;
    this.#emitStarted();
    let kept = identity.keys.length > 0;
    const context = { ...this.#context(signal), unkept: () => void (kept = false) };
    const outputs = await runnerOf(this.vertex.op).run(this.vertex.op, inputs, context);
    const standing = kept ? await this.#save(identity, outputs, context) : outputs;
    this.#emitCompleted();
    return standing;
  }

  /** Records what was made. Where another process was faster its result is taken, so that builds at the same time come to the same image. */
  async #save(identity: Identity, outputs: readonly R[], context: StepContext<H>): Promise<readonly R[]> {
    const { results, keys } = this.#solve.solver.options;
    const records = await Promise.all(outputs.map((output) => results.save(output, context)));
    const { op } = this.vertex;
    const [name] = textsOf(this.vertex);
    const kind = op.kind === 'source' ? op.source.type : op.kind;
    const made = { id: identity.id, keys: identity.keys, outputs: records, name, kind };
    const earlier = this.vertex.label.ignoreCache ? undefined : keys.saveNew(made);
    const loaded = earlier && (await this.#load(earlier));
    if (loaded?.length === outputs.length) {
      await Promise.all(outputs.map((output) => results.release(output)));
      return loaded;
    }
    if (earlier ?? this.vertex.label.ignoreCache) keys.save(made);
    return outputs;
  }

  #context(signal: AbortSignal): StepContext<H> {
    return this.#solve.contextOf(this.vertex, signal);
  }

  #emitStarted(): void {
    if (this.#started) return;
    this.#started = true;
    const { digest } = this.vertex;
    const miss = this.#solve.trace?.causesOf(digest);
    const at = this.#solve.solver.options.clock.now();
    this.#solve.emit({ kind: 'started', digest, at, ...(miss && { miss }) });
  }

  #emitCompleted(): void {
    this.#solve.emit({ kind: 'completed', digest: this.vertex.digest, at: this.#solve.solver.options.clock.now() });
  }

  /** Tells of a failure of this very step once; a failure that came up from an input is the input's. */
  #failed(error: unknown): unknown {
    const { told } = this.#solve;
    const known = told.has(error as object);
    const thrown = known ? error : placed(error, this.vertex);
    const untold = kindOf(thrown) === 'cancelled' && !this.#started;
    if (!this.#reported && !known && !untold) {
      this.#reported = true;
      this.#solve.emit({
        kind: 'completed',
        digest: this.vertex.digest,
        at: this.#solve.solver.options.clock.now(),
        error: thrown,
      });
    }
    if (typeof thrown === 'object' && thrown !== null && kindOf(thrown) !== 'cancelled') told.add(thrown);
    return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
  }
}

const RECIPE: InputKey = { by: 'recipe' };
