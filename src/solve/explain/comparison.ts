import type { Digest } from '../../blob/index.ts';
import type { KeyPart } from '../types.ts';
import type { Cause, PartValue } from './cause.ts';
import { matchSteps } from './match-steps.ts';
import type { MemberChanges } from './member-list.ts';
import type { TracedStep } from './traced-step.ts';

/** What a step of a build under way has beside what is kept of it. */
export interface CurrentStep extends TracedStep {
  readonly ignoresCache: boolean;
  /** Its entry was found, and the bytes were gone. */
  readonly lost: boolean;
  /** Nothing is kept of it: nothing runs for it. */
  readonly unrecorded: boolean;
}

export interface ComparisonOptions {
  /** May grow. */
  readonly now: readonly CurrentStep[];
  /** The build before; undefined when there is none on record. */
  readonly before: readonly TracedStep[] | undefined;
  /** How two lists of members differ; undefined where one is not on record. */
  readonly changesOf: (before: Digest, after: Digest) => MemberChanges | undefined;
}

/** Says of the steps of a build why they are other ones than in the build before. A step can be asked about when its inputs are identified. */
export class Comparison {
  readonly #o: ComparisonOptions;
  readonly #causes = new Map<number, readonly Cause[]>();
  #matches: ReadonlyMap<number, number> = new Map();
  #matched = 0;

  constructor(o: ComparisonOptions) {
    this.#o = o;
  }

  /** The root cause comes first; none where it is the same step, and found. */
  causesOf(at: number): readonly Cause[] {
    const known = this.#causes.get(at);
    if (known) return known;
    const causes = this.#compare(at);
    this.#causes.set(at, causes);
    return causes;
  }

  /** Asks anew about a step of which more is known now. */
  forget(at: number): void {
    this.#causes.delete(at);
  }

  #earlier(at: number, before: readonly TracedStep[]): TracedStep | undefined {
    const { now } = this.#o;
    if (this.#matched !== now.length) {
      this.#matches = matchSteps(now, before);
      this.#matched = now.length;
    }
    return before[this.#matches.get(at) ?? -1];
  }

  #compare(at: number): readonly Cause[] {
    const { now, before } = this.#o;
    const step = now[at];
    if (!step) return [];
    if (step.ignoresCache) return [{ kind: 'ignored' }];
    if (!before) return step.outcome === 'hit' ? [] : [{ kind: 'first' }];
    if (step.lost) return [{ kind: 'evicted', lost: true }];
    const old = this.#earlier(at, before);
    if (!old) return [{ kind: 'new' }];
    if (step.unrecorded) return this.#differences(step, old);
    if (step.keys.length === 0) return [{ kind: 'always' }];
    if (step.keys.some((key) => old.keys.includes(key))) {
      if (step.outcome === 'hit') return [];
      return [isUnfinished(old.outcome) ? { kind: 'unfinished', outcome: old.outcome } : { kind: 'evicted' }];
    }
    const causes = this.#differences(step, old);
    if (causes.length > 0) return causes;
    return [isUnfinished(old.outcome) ? { kind: 'unfinished', outcome: old.outcome } : { kind: 'unknown' }];
  }

  /** What is other in the step itself, what it reads of files, which step before it is another one, what it reads of that. */
  #differences(step: CurrentStep, old: TracedStep): readonly Cause[] {
    const own: Cause[] = [];
    // A build that never came to a step knows nothing of it but its text.
    if (old.key !== undefined && step.key !== old.key) own.push(...ownCauses(step, old));
    else if (old.key === undefined && step.text !== old.text && !step.unrecorded) own.push(rewritten(step, old));
    const { files, follows, reads } = this.#inputCauses(step, old);
    return [...own, ...files, ...follows, ...reads];
  }

  #inputCauses(step: CurrentStep, old: TracedStep): Readonly<Record<'files' | 'follows' | 'reads', readonly Cause[]>> {
    const { now, before = [], changesOf } = this.#o;
    const found: Record<'files' | 'follows' | 'reads', Cause[]> = { files: [], follows: [], reads: [] };
    for (const [i, position] of step.inputs.entries()) {
      const input = now[position];
      const [content, oldContent] = [step.contents[i] ?? undefined, old.contents[i] ?? undefined];
      if (!input || (content !== undefined && content === oldContent)) continue;
      const isSource = input.op === 'source';
      if (content !== undefined) {
        const changes = oldContent === undefined ? undefined : changesOf(oldContent, content);
        const isSame = changes && changes.paths.length === 0;
        const lists = oldContent === undefined ? undefined : ([oldContent, content] as const);
        const cause: Cause = changes ? { kind: 'files', ...changes, lists } : { kind: 'content' };
        // Of a step that was not come to nothing is known.
        if (!isSame && (oldContent !== undefined || !isUnfinished(old.outcome)))
          (isSource ? found.files : found.reads).push(cause);
        if (isSame) continue;
      }
      if (input.id === before[old.inputs[i] ?? -1]?.id) continue;
      const cause = this.#follows(position, input);
      const isTold = found.follows.some((known) => known.kind === 'follows' && known.step === cause?.step);
      if (cause && !isTold) found.follows.push(cause);
    }
    return found;
  }

  /** The nearest step on the way that is another one by itself. */
  #follows(position: number, input: CurrentStep): Extract<Cause, { kind: 'follows' }> | undefined {
    const causes = this.causesOf(position);
    const [only] = causes;
    // A source that is as it was is not why something else is another step.
    if (input.unrecorded && only === undefined) return undefined;
    if (only?.kind === 'follows') return only;
    return { kind: 'follows', step: input.vertex, name: input.name };
  }
}

/** The instruction and variables; other parts where those do not say it already. */
function ownCauses(step: CurrentStep, old: TracedStep): readonly Cause[] {
  const parts = partCauses(old.parts, step.parts);
  const variables = parts.flatMap(({ cause }) => (cause.kind === 'variable' ? [cause] : []));
  // A source is what its parts say: an image by its digest, however it is written.
  if (step.text !== old.text && !step.unrecorded) return [rewritten(step, old), ...variables];
  const others = parts.filter(({ cause }) => cause.kind === 'part');
  const plain = others.filter(({ derived }) => !derived);
  const told = variables.length + plain.length > 0 ? plain : others;
  return [...variables, ...told.map(({ cause }) => cause)];
}

function rewritten({ text: after }: TracedStep, { text: before }: TracedStep): Cause {
  return { kind: 'instruction', before, after };
}

function partCauses(
  before: readonly KeyPart[],
  after: readonly KeyPart[],
): readonly { readonly cause: Extract<Cause, { kind: 'variable' | 'part' }>; readonly derived: boolean }[] {
  const [old, now] = [byName(before), byName(after)];
  const names = new Set([...now.keys(), ...old.keys()]);
  return [...names].flatMap((id) => {
    const [earlier, later] = [old.get(id), now.get(id)];
    const part = later ?? earlier;
    if (!part || earlier?.digest === later?.digest) return [];
    const { name, variable, derived = false } = part;
    const sides = { ...(earlier && { before: sideOf(earlier) }), ...(later && { after: sideOf(later) }) };
    const cause: Extract<Cause, { kind: 'variable' | 'part' }> =
      variable === undefined ? { kind: 'part', name, ...sides } : { kind: 'variable', from: variable, name, ...sides };
    return [{ cause, derived }];
  });
}

function byName(parts: readonly KeyPart[]): Map<string, KeyPart> {
  return new Map(parts.map((part) => [`${part.variable === undefined ? '' : '$'}${part.name}`, part]));
}

function sideOf({ digest, value }: KeyPart): PartValue {
  return value === undefined ? { digest } : { digest, value };
}

function isUnfinished(outcome: TracedStep['outcome']): outcome is 'failed' | 'cancelled' | 'not reached' {
  return outcome === 'failed' || outcome === 'cancelled' || outcome === 'not reached';
}
