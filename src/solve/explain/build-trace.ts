import { createHash } from 'node:crypto';
import { canonicalJson, type Clock, kindOf } from '../../base/index.ts';
import { type Digest, digestOf } from '../../blob/index.ts';
import type { Vertex } from '../../graph/index.ts';
import { textsOf } from '../texts-of.ts';
import type { CacheKey, Content, KeyPart, Selector, SolveEvent } from '../types.ts';
import {
  type BuildHistory,
  type BuildOutcome,
  compareLists,
  type Piece,
  pieceOf,
  type Project,
  type RecordedBuild,
} from './build-history.ts';
import type { Cause } from './cause.ts';
import { Comparison, type CurrentStep } from './comparison.ts';
import { type MemberChanges, piecesOf } from './member-list.ts';
import type { StepOutcome, TracedStep } from './traced-step.ts';

/** What is known of a step when it is identified. */
export interface IdentifiedStep {
  readonly key: CacheKey;
  readonly keys: readonly { readonly digest: Digest }[];
  readonly id: Digest;
  /** For each input the list of what is read of it, as `content` names it. */
  readonly contents: readonly (Digest | null)[];
  readonly hit: boolean;
  readonly from?: string | undefined;
}

/** Paths kept with a build; the rest is found in the lists of both builds, as long as these are on record. */
const TOLD = 20;

/** Follows one build, to say why its steps ran and to put it on record. The build before it is read when the first step misses. */
export class BuildTrace {
  readonly #history: BuildHistory;
  readonly #project: Project;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #steps: LiveStep[] = [];
  readonly #byVertex = new Map<Digest, LiveStep>();
  readonly #lists = new Map<Digest, readonly Piece[]>();
  #before: { readonly build: RecordedBuild | undefined } | undefined;
  #comparison: Comparison | undefined;

  constructor(o: { readonly history: BuildHistory; readonly project: Project; readonly clock: Clock }) {
    this.#history = o.history;
    this.#project = o.project;
    this.#clock = o.clock;
    this.#startedAt = o.clock.now();
  }

  /** A step of the build; its inputs come first. */
  announce(vertex: Vertex): void {
    const inputs = vertex.inputs.map((edge) => this.#byVertex.get(edge.vertex.digest)?.position ?? -1);
    const step = new LiveStep(vertex, { position: this.#steps.length, inputs });
    this.#steps.push(step);
    this.#byVertex.set(vertex.digest, step);
  }

  /** Notes what a content was made of, unless that is on record. Gives the name of the list. */
  content(content: Content, select: Selector): Digest {
    // Where a tree is read from is part of its paths, and not of its digest.
    const list = digestOf(`${content.digest} ${canonicalJson(select)}`);
    if (content.members && !this.#lists.has(list) && !this.#history.has(list))
      this.#lists.set(list, Array.from(piecesOf(content.members()), pieceOf));
    return list;
  }

  identified(vertex: Digest, found: IdentifiedStep): void {
    const step = this.#byVertex.get(vertex);
    if (!step) return;
    step.found = found;
    step.outcome = found.key.unrecorded ? 'source' : found.hit ? 'hit' : 'not reached';
  }

  /** The entry of a step was found, and what it leads to is gone. */
  lost(vertex: Digest): void {
    const step = this.#byVertex.get(vertex);
    if (!step) return;
    step.lost = true;
    step.outcome = 'not reached';
    this.#comparison?.forget(step.position);
  }

  /** Takes note of the beginning and end of what runs. */
  event(event: SolveEvent): void {
    if (event.kind !== 'started' && event.kind !== 'completed') return;
    const step = this.#byVertex.get(event.digest);
    if (!step) return;
    if (event.kind === 'started') step.startedAt = event.at;
    else {
      const { error, at } = event;
      const outcome = error === undefined ? 'ran' : kindOf(error) === 'cancelled' ? 'cancelled' : 'failed';
      if (!step.unrecorded || outcome === 'failed') step.outcome = outcome;
      if (step.startedAt !== undefined) step.took = Math.max(0, at - step.startedAt);
    }
  }

  /** Why a step that is identified runs; undefined for what is never kept. */
  causesOf(vertex: Digest): readonly Cause[] | undefined {
    const step = this.#byVertex.get(vertex);
    return step?.found && !step.unrecorded ? this.#compared().causesOf(step.position) : undefined;
  }

  /** Puts the build on record. */
  save(outcome: BuildOutcome): void {
    if (!this.#steps.some(({ found }) => found !== undefined)) return;
    const [at, took] = [this.#startedAt, this.#clock.now() - this.#startedAt];
    const { build: previous } = this.#previous();
    const fingerprint = this.#fingerprint(outcome);
    if (previous?.fingerprint === fingerprint && this.#history.again(previous.id, { at, took })) return;
    const steps = this.#steps.map((step) => this.#traced(step, outcome));
    this.#history.add(
      { project: this.#project, at, took, outcome, previous: previous?.id, fingerprint, steps },
      this.#lists,
    );
  }

  /** Of all that is put on record of a build in which every step was found; another one each time where one was not. */
  #fingerprint(outcome: BuildOutcome): Digest {
    const hash = createHash('sha256').update(outcome);
    for (const step of this.#steps) {
      const { label } = step.source;
      const { vertex, outcome: came, id = '', contents, from = '' } = step;
      hash.update(`\n${vertex} ${label.name}\0${label.place?.line} ${label.group} ${came} ${id} ${contents} ${from}`);
      if (came === 'ran' || came === 'failed') hash.update(`${step.took} ${this.#startedAt}`);
    }
    return `sha256:${hash.digest('hex')}`;
  }

  #traced(step: LiveStep, build: BuildOutcome): TracedStep {
    const { vertex, op, inputs, group, line, internal, id, key, keys, parts, from } = step;
    const [name, text] = step.texts();
    const outcome = step.outcome === 'not reached' && build === 'done' ? 'not needed' : step.outcome;
    const took = outcome === 'ran' || outcome === 'failed' ? step.took : undefined;
    const causes = step.found ? this.#compared().causesOf(step.position) : [];
    const contents = this.#contentsOf(step);
    return {
      vertex,
      op,
      name,
      text,
      group,
      line,
      internal,
      inputs,
      key,
      keys,
      id,
      contents,
      parts,
      outcome,
      from,
      took,
      causes,
    };
  }

  /** A step that was found by its recipe did not look at contents: they are what they were. */
  #contentsOf(step: LiveStep): readonly (Digest | null)[] {
    const { contents } = step;
    if (step.outcome !== 'hit' || !step.readsContent || contents.some((content) => content !== null)) return contents;
    const old = this.#previous().build?.steps.find(({ vertex }) => vertex === step.vertex);
    return old?.keys.some((key) => step.keys.includes(key)) === true ? old.contents : contents;
  }

  #previous(): { readonly build: RecordedBuild | undefined } {
    return (this.#before ??= { build: this.#history.last(this.#project) });
  }

  #compared(): Comparison {
    this.#comparison ??= new Comparison({
      now: this.#steps,
      before: this.#previous().build?.steps,
      changesOf: (before, after) => this.#changesOf(before, after),
    });
    return this.#comparison;
  }

  #changesOf(before: Digest, after: Digest): MemberChanges | undefined {
    const [old, now] = [before, after].map((list) => this.#lists.get(list) ?? this.#history.piecesOf(list));
    return old && now && compareLists(old, now, TOLD);
  }
}

class LiveStep implements CurrentStep {
  readonly source: Vertex;
  readonly position: number;
  readonly inputs: readonly number[];
  readonly causes: readonly Cause[] = [];
  found: IdentifiedStep | undefined;
  outcome: StepOutcome = 'not reached';
  lost = false;
  startedAt: number | undefined;
  took: number | undefined;
  #texts: readonly [name: string, text: string] | undefined;

  constructor(vertex: Vertex, o: { readonly position: number; readonly inputs: readonly number[] }) {
    this.source = vertex;
    this.position = o.position;
    this.inputs = o.inputs;
  }

  /** Its name and its instruction as they are written: with variables expanded they could hold what is not to be kept. */
  texts(): readonly [name: string, text: string] {
    return (this.#texts ??= textsOf(this.source));
  }

  get name(): string {
    return this.texts()[0];
  }

  get text(): string {
    return this.texts()[1];
  }

  get vertex(): Digest {
    return this.source.digest;
  }

  get op(): string {
    return this.source.op.kind;
  }

  get group(): string | undefined {
    return this.source.label.group;
  }

  get line(): number | undefined {
    return this.source.label.place?.line;
  }

  get internal(): true | undefined {
    const { op, label } = this.source;
    return label.internal === true || (op.kind === 'source' && op.source.type === 'scratch') ? true : undefined;
  }

  get ignoresCache(): boolean {
    return this.source.label.ignoreCache === true && !this.unrecorded;
  }

  get unrecorded(): boolean {
    return this.found?.key.unrecorded === true;
  }

  get readsContent(): boolean {
    return this.found?.key.inputs.some(({ by }) => by !== 'recipe') === true;
  }

  /** The asking side's files have another key in each build. */
  get #isLocal(): boolean {
    return this.unrecorded && this.found?.key.volatile === true;
  }

  get key(): Digest | undefined {
    return this.#isLocal ? undefined : this.found?.key.digest;
  }

  get keys(): readonly Digest[] {
    return this.found?.keys.map(({ digest }) => digest) ?? [];
  }

  get id(): Digest | undefined {
    return this.#isLocal ? undefined : this.found?.id;
  }

  get parts(): readonly KeyPart[] {
    return this.found?.key.parts ?? [];
  }

  get contents(): readonly (Digest | null)[] {
    return this.found?.contents ?? [];
  }

  get from(): string | undefined {
    return this.outcome === 'hit' ? this.found?.from : undefined;
  }
}
