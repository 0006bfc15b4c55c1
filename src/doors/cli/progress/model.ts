import type { BuildEvent, BuildResult, Cause, GroundReport } from '../../../engine/index.ts';
import { StepLog, type LogLine } from './step-log.ts';

type Of<K extends BuildEvent['kind']> = Extract<BuildEvent, { kind: K }>;

/** Something being moved: a layer, a context. Times are milliseconds since the epoch. */
export interface Item {
  readonly name: string;
  readonly startedAt: number;
  at: number;
  current: number;
  total: number | undefined;
  unit: 'bytes' | 'files' | 'packages' | 'objects';
  done: boolean;
}

export interface Step {
  readonly id: string;
  readonly name: string;
  readonly internal: boolean;
  /** Counted from 1 in the order in which steps were first heard of at work; 0 until then. */
  number: number;
  state: 'waiting' | 'running' | 'cached' | 'done' | 'failed' | 'cancelled';
  startedAt: number | undefined;
  endedAt: number | undefined;
  cachedBy: 'recipe' | 'content' | undefined;
  /** Why it runs. */
  miss: readonly Cause[] | undefined;
  error: string | undefined;
  readonly notes: string[];
  readonly items: Map<string, Item>;
  readonly log: StepLog;
  /** The end of the log has been shown apart. */
  logShown: boolean;
}

export interface Change {
  readonly step?: Step | undefined;
  readonly lines: readonly LogLine[];
  readonly item?: Item | undefined;
}

export type Warning = Of<'warning'>['warning'];

/** The state of a build, put together from its events: what every renderer shows. */
export class ProgressModel {
  readonly steps = new Map<string, Step>();
  /** Steps at work or past it, in the order of their numbers. */
  readonly shown: Step[] = [];
  readonly warnings: Warning[] = [];
  ground: GroundReport | undefined;
  result: BuildResult | undefined;
  startedAt: number | undefined;

  /** Takes an event; gives what it is about: a step, the lines of log that it brought, the item that moved. */
  apply(event: BuildEvent): Change {
    if ('at' in event) this.startedAt ??= event.at;
    switch (event.kind) {
      case 'vertex':
        return { step: this.#add(event), lines: [] };
      case 'warning':
        this.warnings.push(event.warning);
        return { lines: [] };
      case 'ground':
        this.ground = event.ground;
        return { lines: [] };
      case 'result':
        this.result = event.result;
        return { lines: [] };
      default:
        return this.#ofStep(event);
    }
  }

  /** Steps that are over, and all that are known; when there is a result the rest was not needed and counts as over. */
  counts(): { readonly done: number; readonly total: number } {
    const total = this.steps.size;
    if (this.result) return { done: total, total };
    let done = 0;
    for (const { state } of this.steps.values()) if (state !== 'waiting' && state !== 'running') done += 1;
    return { done, total };
  }

  /** Takes the process of a step for ended: gives what it printed without an end of line. */
  ended(id: string, at: number): Change {
    const step = this.steps.get(id);
    return { step, lines: step?.log.end(at) ?? [] };
  }

  /** The first step that failed by itself. */
  failed(): Step | undefined {
    return this.shown.find(({ state }) => state === 'failed');
  }

  #add(event: Of<'vertex'>): Step {
    const known = this.steps.get(event.id);
    if (known) return known;
    const step: Step = {
      id: event.id,
      name: event.name,
      internal: event.internal === true,
      number: 0,
      state: 'waiting',
      startedAt: undefined,
      endedAt: undefined,
      cachedBy: undefined,
      miss: undefined,
      error: undefined,
      notes: [],
      items: new Map(),
      log: new StepLog(),
      logShown: false,
    };
    this.steps.set(event.id, step);
    return step;
  }

  #ofStep(event: Of<'started' | 'cached' | 'log' | 'progress' | 'note' | 'completed'>): Change {
    const step = this.steps.get(event.id) ?? this.#add({ kind: 'vertex', id: event.id, name: event.id, inputs: [] });
    if (step.number === 0) {
      this.shown.push(step);
      step.number = this.shown.length;
    }
    let lines: readonly LogLine[] = [];
    let item: Item | undefined;
    switch (event.kind) {
      case 'started':
        step.startedAt = event.at;
        step.endedAt = undefined;
        step.state = 'running';
        step.miss = event.miss;
        break;
      case 'cached':
        if (!event.verdict.hit) break;
        step.state = 'cached';
        step.cachedBy = event.verdict.by;
        step.startedAt ??= event.at;
        step.endedAt = event.at;
        break;
      case 'log':
        lines = step.log.push(event.stream, event.chunk, event.at);
        break;
      case 'note':
        step.notes.push(event.text);
        break;
      case 'progress':
        item = progressed(step, event);
        break;
      case 'completed':
        lines = step.log.end(event.at);
        step.endedAt = event.at;
        step.error = event.error;
        step.state =
          event.error === undefined
            ? step.state === 'cached'
              ? 'cached'
              : 'done'
            : event.cancelled
              ? 'cancelled'
              : 'failed';
        break;
    }
    return { step, lines, item };
  }
}

function progressed(step: Step, { at, progress }: Of<'progress'>): Item {
  const { current, total, unit, done = false } = progress;
  const name = progress.item === 'layer' ? 'writing layer' : progress.item;
  const known = step.items.get(name);
  if (known) return Object.assign(known, { at, current, total, unit, done });
  const item: Item = { name, startedAt: at, at, current, total, unit, done };
  step.items.set(name, item);
  return item;
}
