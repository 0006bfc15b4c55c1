import type { DetectPlan, GroupElement, ModuleId, PlanEntry, Requirement } from '../model/types.ts';
import type { DetectLog } from './log.ts';
import { ERROR, FAIL, PASS, type Outcome } from './outcome.ts';

/** A module of a group whose `bin/detect` ran. */
export interface Candidate {
  readonly element: GroupElement;
  readonly optional: boolean;
  readonly outcome: Outcome;
}

export type Resolution =
  | { readonly kind: 'found'; readonly elements: readonly GroupElement[]; readonly plan: readonly PlanEntry[] }
  /** `errored`: a `bin/detect` ended in an error, not only with "no". */
  | { readonly kind: 'failed'; readonly errored: boolean };

/** One alternative of a module's plan. */
interface Option {
  readonly element: GroupElement;
  readonly optional: boolean;
  readonly provides: readonly string[];
  readonly requires: readonly Requirement[];
}

const nameOf = ({ id, version }: ModuleId): string => `${id}@${version}`;

/**
 * Whether a group, all of whose modules ran, is detected, and its plan (buildpack.md, Phase #1). Lines are those of the lifecycle. Entries of the plan are in the order in which names were first
 * mentioned (the lifecycle's order is random).
 */
export function resolveGroup(candidates: readonly Candidate[], log: DetectLog): Resolution {
  for (const { element, outcome } of candidates) logOutput(element, { outcome, log });
  log.debug('======== Results ========');
  for (const candidate of candidates) logResult(candidate, log);
  const errored = candidates.some(({ outcome }) => outcome.code !== PASS && outcome.code !== FAIL);
  if (candidates.some(({ outcome, optional }) => outcome.code !== PASS && !optional))
    return { kind: 'failed', errored };
  const passed = candidates.filter(({ outcome }) => outcome.code === PASS);
  if (!passed.some(({ element }) => element.kind === 'buildpack')) {
    log.debug('fail: no viable buildpacks in group');
    return { kind: 'failed', errored };
  }
  let count = 0;
  for (const trial of trialsOf(passed)) {
    log.debug(`Resolving plan... (try #${++count})`);
    const stable = runTrial(trial, log);
    if (stable === undefined) continue;
    logGroup(stable, { of: candidates.length, log });
    return { kind: 'found', elements: stable.map(({ element }) => element), plan: planOf(stable) };
  }
  return { kind: 'failed', errored };
}

/** Every choice of one alternative per module, left to right, depth first. Only in its last alternative is an optional module optional. */
function* trialsOf(candidates: readonly Candidate[], prefix: readonly Option[] = []): Iterable<readonly Option[]> {
  const [first, ...rest] = candidates;
  if (first === undefined) {
    yield prefix;
    return;
  }
  const alternatives: DetectPlan = first.outcome.plan;
  for (const [index, { provides, requires }] of alternatives.entries()) {
    const optional = first.optional && index === alternatives.length - 1;
    yield* trialsOf(rest, [...prefix, { element: first.element, optional, provides, requires }]);
  }
}

/** Takes optional modules out until every requirement has a provider at or before it and every provision a requirement at or after it. */
function runTrial(trial: readonly Option[], log: DetectLog): readonly Option[] | undefined {
  let options = trial;
  for (;;) {
    const misfits = misfitsOf(options);
    if (misfits.length === 0) break;
    for (const { option, reason } of misfits) {
      log.debug(`${option.optional ? 'skip' : 'fail'}: ${nameOf(option.element)} ${reason}`);
      if (!option.optional) return undefined;
    }
    options = options.filter((option) => !misfits.some((misfit) => misfit.option === option));
  }
  if (options.some(({ element }) => element.kind === 'buildpack')) return options;
  log.debug('fail: no viable buildpacks in group');
  return undefined;
}

function misfitsOf(options: readonly Option[]): readonly { readonly option: Option; readonly reason: string }[] {
  const misfits: { option: Option; reason: string }[] = [];
  for (const [index, option] of options.entries()) {
    const before = options.slice(0, index + 1);
    const after = options.slice(index);
    for (const name of new Set(option.requires.map((requirement) => requirement.name)))
      if (!before.some(({ provides }) => provides.includes(name))) misfits.push({ option, reason: `requires ${name}` });
    for (const name of new Set(option.provides))
      if (!after.some(({ requires }) => requires.some((requirement) => requirement.name === name)))
        misfits.push({ option, reason: `provides unused ${name}` });
  }
  return misfits;
}

function planOf(options: readonly Option[]): readonly PlanEntry[] {
  const entries = new Map<string, { providers: ModuleId[]; requires: Requirement[] }>();
  const entry = (name: string): { providers: ModuleId[]; requires: Requirement[] } => {
    const found = entries.get(name) ?? { providers: [], requires: [] };
    entries.set(name, found);
    return found;
  };
  for (const { element, provides, requires } of options) {
    const { kind, id, version } = element;
    for (const name of new Set(provides)) entry(name).providers.push({ kind, id, version });
    for (const requirement of requires) entry(requirement.name).requires.push(requirement);
  }
  return [...entries.values()];
}

function logOutput(element: GroupElement, o: { outcome: Outcome; log: DetectLog }): void {
  const { outcome, log } = o;
  const say = (text: string): void =>
    outcome.code === PASS || outcome.code === FAIL ? log.debug(text) : log.info(text);
  if (outcome.output !== '') {
    say(`======== Output: ${nameOf(element)} ========`);
    say(outcome.output);
  }
  if (outcome.error === undefined) return;
  say(`======== Error: ${nameOf(element)} ========`);
  say(outcome.error);
}

function logResult({ element, optional, outcome }: Candidate, log: DetectLog): void {
  const name = nameOf(element);
  if (outcome.code === PASS) log.debug(`pass: ${name}`);
  else if (outcome.code === FAIL) log.debug(`${optional ? 'skip' : 'fail'}: ${name}`);
  else log.info(outcome.code === ERROR ? `err:  ${name}` : `err:  ${name} (${outcome.code})`);
}

function logGroup(options: readonly Option[], o: { of: number; log: DetectLog }): void {
  if (options.length !== o.of) o.log.info(`${options.length} of ${o.of} buildpacks participating`);
  const width = Math.max(...options.map(({ element }) => element.id.length));
  for (const { element } of options) o.log.info(`${element.id.padEnd(width)} ${element.version}`);
}
