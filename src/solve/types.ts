import type { Json, Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Op, Vertex } from '../graph/index.ts';
import type { Cause } from './explain/cause.ts';
import type { Member } from './explain/member-list.ts';

/** Which part of a result a step reads: canonical data that only `Results` understands (paths, wildcards, include, exclude, links). */
export type Selector = { readonly [key: string]: Json | undefined };

/** How one input takes part in a step's key: by how it was made, by what is in it under a selector, or first the one and then the other. */
export type InputKey =
  | { readonly by: 'recipe' }
  | { readonly by: 'content'; readonly select: Selector }
  | { readonly by: 'recipe-then-content'; readonly select: Selector };

/** One piece of what a key was made of, kept small, so that a miss can be explained: `{ name: 'network', digest, value? }`. Never a secret. */
export interface KeyPart {
  readonly name: string;
  readonly digest: Digest;
  /** A short value that people may see; absent where there is none, or where it looks like a secret. */
  readonly value?: string | undefined;
  /** `name` is a variable, set by this instruction. */
  readonly variable?: 'ARG' | 'ENV' | undefined;
  /** It follows from the text of the instruction and the variables: of interest only where those are what they were. */
  readonly derived?: boolean | undefined;
}

/** What a selector comes to in a result. */
export interface Content {
  readonly digest: Digest;
  /** What the digest was made of, in canonical order; to be read at once. Absent where that cannot be told. */
  readonly members?: (() => Iterable<Member>) | undefined;
}

/** How a step is cached, apart from how it runs. `digest` covers all but the inputs; `inputs` has one member per input. */
export interface CacheKey {
  readonly digest: Digest;
  readonly inputs: readonly InputKey[];
  /** Read only where a step is put on record. */
  readonly parts: readonly KeyPart[];
  /** The key says nothing beyond this solve (a folder of the asking side): steps that can go by content do, all others after it are never cached. */
  readonly volatile?: boolean | undefined;
  /** Running is as cheap as looking up (a pinned image that is fetched lazily): never kept on record. */
  readonly unrecorded?: boolean | undefined;
}

export interface StepProgress {
  /** What is being moved: a layer's digest, a file, a package. */
  readonly item: string;
  readonly current: number;
  readonly total?: number | undefined;
  readonly unit: 'bytes' | 'files' | 'packages' | 'objects';
  readonly done?: boolean | undefined;
}

/** What a running step may use. `H` is the asking side's host; `solve` passes it on without knowing it. */
export interface StepContext<H = unknown> extends Wait {
  readonly host: H;
  readonly vertex: Vertex;
  /** Who says much waits for what this gives: it settles when somebody has taken note. */
  log(stream: 'stdout' | 'stderr', chunk: Uint8Array): void | Promise<void>;
  progress(progress: StepProgress): void;
  /** A sentence about how the step was run, shown and kept with it. */
  note(text: string): void;
  /** What this run comes to is not kept on record. */
  unkept(): void;
  /**
   * For a running step that has failed and is to be looked at: cancels every other step of the build, which will end with this failure, and settles when none is at work. False where the build was being stopped already: then this
   * step is, too.
   */
  stopOthers(failure: unknown): Promise<boolean>;
}

/** Knows the steps of one kind: how they are keyed and how they run. A run gives one result per output. */
export interface OpRunner<O extends Op, R, H = unknown> {
  cacheKey(op: O, context: StepContext<H>): Promise<CacheKey>;
  run(op: O, inputs: readonly R[], context: StepContext<H>): Promise<readonly R[]>;
}

/** A result on record: canonical data from which `Results.load` can get it back, on this machine or another. */
export type ResultRecord = { readonly [key: string]: Json | undefined };

/** What the solver may do with results, which it cannot look into. `load` is lazy: it gives undefined when the result is no longer (wholly) there. */
export interface Results<R, H = unknown> {
  content(result: R, select: Selector, context: StepContext<H>): Promise<Content>;
  save(result: R, context: StepContext<H>): Promise<ResultRecord>;
  load(record: ResultRecord, context: StepContext<H>): Promise<R | undefined>;
  /** Called for the build of `context` with a result that another build made while this one waited for it. */
  share(result: R, context: StepContext<H>): Promise<void>;
  release(result: R): Promise<void>;
}

/** Why a step was or was not taken from the cache. */
export type CacheVerdict =
  | {
      readonly hit: true;
      readonly by: 'recipe' | 'content';
      readonly record: Digest;
      /** The cache elsewhere that it was found in; absent for this store's. */
      readonly from?: string | undefined;
    }
  | { readonly hit: false; readonly reason: 'no entry' | 'result gone' | 'cache ignored' | 'not cacheable' };

export type SolveEvent =
  | { readonly kind: 'vertex'; readonly vertex: Vertex }
  | {
      readonly kind: 'started';
      readonly digest: Digest;
      readonly at: number;
      /** Why it runs: what is other than in the build before, where builds are kept on record. */
      readonly miss?: readonly Cause[] | undefined;
    }
  | { readonly kind: 'cached'; readonly digest: Digest; readonly at: number; readonly verdict: CacheVerdict }
  | {
      readonly kind: 'log';
      readonly digest: Digest;
      readonly at: number;
      readonly stream: 'stdout' | 'stderr';
      readonly chunk: Uint8Array;
    }
  | { readonly kind: 'progress'; readonly digest: Digest; readonly at: number; readonly progress: StepProgress }
  | { readonly kind: 'note'; readonly digest: Digest; readonly at: number; readonly text: string }
  | { readonly kind: 'completed'; readonly digest: Digest; readonly at: number; readonly error?: unknown };
