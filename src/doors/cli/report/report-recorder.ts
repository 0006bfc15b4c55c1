import { withoutSecrets, type SourcePlace } from '../../../base/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { causeLines } from '../explain/cause-text.ts';
import { ProgressModel, type Step } from '../progress/model.ts';
import { KeptLog } from './kept-log.ts';
import type { ReportData, ReportStep, StepState } from './report-data.ts';

type Vertex = Extract<BuildEvent, { kind: 'vertex' }>;

/** Paths told of a step whose files changed. */
const MOST_PATHS = 50;

/** Puts together what a report tells of the steps, from the events of a build. */
export class ReportRecorder {
  readonly #model = new ProgressModel();
  readonly #vertices = new Map<string, Vertex>();
  readonly #logs = new Map<string, KeptLog>();
  readonly #caches = new Map<string, string>();

  readonly #keepsLogs: boolean;

  /** `logs: false`: what steps print is not kept. */
  constructor(o?: { readonly logs?: boolean | undefined }) {
    this.#keepsLogs = o?.logs !== false;
  }

  event(event: BuildEvent): void {
    if (event.kind === 'vertex' && !this.#vertices.has(event.id)) this.#vertices.set(event.id, event);
    if (event.kind === 'cached' && event.verdict.hit && event.verdict.from !== undefined)
      this.#caches.set(event.id, event.verdict.from);
    const { step, lines } = this.#model.apply(event);
    if (!step || lines.length === 0 || !this.#keepsLogs) return;
    const log = this.#logs.get(step.id) ?? new KeptLog();
    this.#logs.set(step.id, log);
    const stream = event.kind === 'log' ? event.stream : 'stdout';
    for (const { at, text } of lines) log.add({ at: Math.max(0, at - (step.startedAt ?? at)), stream, text });
  }

  get warnings(): ReportData['warnings'] {
    return this.#model.warnings.map(({ place, ...warning }) => ({
      ...warning,
      place: place && withoutSecretsAt(place),
    }));
  }

  get ground(): ReportData['ground'] {
    return this.#model.ground;
  }

  /** The number of the first step that failed by itself. */
  get failed(): number | undefined {
    return this.#model.failed()?.number;
  }

  /** All steps: those that were come to in that order, then the others. */
  steps(endedAt: number): ReportStep[] {
    const waiting = [...this.#model.steps.values()].filter(({ number, internal }) => number === 0 && !internal);
    const all = [...this.#model.shown, ...waiting];
    const numbers = new Map(all.map(({ id }, at) => [id, at + 1]));
    return all.map((step) => this.#told(step, { numbers, endedAt }));
  }

  #told(step: Step, o: { readonly numbers: ReadonlyMap<string, number>; readonly endedAt: number }): ReportStep {
    const vertex = this.#vertices.get(step.id);
    const { place } = vertex ?? {};
    const endedAt = step.endedAt ?? (step.startedAt === undefined ? undefined : o.endedAt);
    return {
      number: o.numbers.get(step.id) ?? 0,
      id: step.id,
      name: withoutSecrets(step.name),
      phase: phaseOf(step, vertex),
      state: STATES[step.state],
      internal: step.internal,
      startedAt: step.startedAt,
      endedAt,
      cached:
        step.cachedBy && step.state === 'cached' ? { by: step.cachedBy, from: this.#caches.get(step.id) } : undefined,
      why: (step.miss ?? []).flatMap((cause) =>
        causeLines(cause.kind === 'follows' ? { ...cause, number: o.numbers.get(cause.step) } : cause, MOST_PATHS),
      ),
      place: place && withoutSecretsAt(place),
      inputs: (vertex?.inputs ?? []).flatMap((id) => o.numbers.get(id) ?? []),
      error: step.error === undefined ? undefined : withoutSecrets(step.error),
      notes: step.notes,
      items: [...step.items.values()].map(({ name, current, unit, at, startedAt }) => ({
        name,
        current,
        unit,
        took: at - startedAt,
      })),
      log: this.#logs.get(step.id)?.read() ?? { head: [], left: 0, tail: [] },
    };
  }
}

/** A place with the lines that people wrote there as they may be shown to others. */
function withoutSecretsAt({ text, ...place }: SourcePlace): SourcePlace {
  return { ...place, text: text === undefined ? undefined : withoutSecrets(text) };
}

const STATES: Readonly<Record<Step['state'], StepState>> = {
  waiting: 'skipped',
  running: 'cancelled',
  cached: 'cached',
  done: 'ran',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** The stage, or the phase of buildpacks; else what the name begins with, as `internal`; what is no vertex is the export's. */
function phaseOf(step: Step, vertex: Vertex | undefined): string {
  if (vertex?.group !== undefined) return vertex.group;
  if (/^(?:export|cache) /.test(step.id) || step.name.startsWith('exporting')) return 'export';
  const [, word] = /^\[([^\] ]+)/.exec(step.name) ?? [];
  return word === undefined || word === 'internal' ? 'prepare' : word;
}
