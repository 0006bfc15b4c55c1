import type { BuildEvent } from '../../../engine/index.ts';

type StepEvent = Extract<BuildEvent, { readonly id: string }>;

/**
 * The events of several builds as those of one: names say whose step it is (`[app build 2/3] RUN …`), and a step that several builds have is told of once, whichever of them runs it. Work that is no step of a graph (resolving,
 * exporting) is each build's own.
 */
export class JoinedEvents {
  readonly #emit: (event: BuildEvent) => void;
  /** Steps of graphs that were begun. */
  readonly #steps = new Map<string, 'running' | 'given up' | 'over'>();
  readonly #declared = new Set<string>();
  /** Items of steps that have arrived. */
  readonly #moved = new Set<string>();
  readonly #warned = new Set<string>();
  #grounded = false;

  constructor(emit: (event: BuildEvent) => void) {
    this.#emit = emit;
  }

  tell(target: string, event: BuildEvent): void {
    switch (event.kind) {
      case 'result':
        return;
      case 'ground':
        if (!this.#grounded) this.#emit(event);
        this.#grounded = true;
        return;
      case 'warning': {
        const { code, message, place } = event.warning;
        const key = JSON.stringify([code, message, place]);
        if (!this.#warned.has(key)) this.#emit(event);
        this.#warned.add(key);
        return;
      }
      case 'vertex':
        return this.#declare(target, event);
      default:
        if (this.#isNews(idOf(target, event.id), event)) this.#emit({ ...event, id: idOf(target, event.id) });
    }
  }

  #declare(target: string, event: Extract<BuildEvent, { readonly kind: 'vertex' }>): void {
    const id = idOf(target, event.id);
    if (this.#declared.has(id)) return;
    this.#declared.add(id);
    this.#emit({ ...event, id, name: nameOf(target, event.name) });
  }

  #isNews(id: string, event: Exclude<StepEvent, { readonly kind: 'vertex' }>): boolean {
    const state = this.#steps.get(id);
    switch (event.kind) {
      case 'started':
        // Who waited goes on where the other one gave up.
        if (state === 'running' || state === 'over') return false;
        this.#steps.set(id, 'running');
        return true;
      case 'completed':
        if (state === 'over' || (state === 'given up' && event.cancelled === true)) return false;
        this.#steps.set(id, event.cancelled === true ? 'given up' : 'over');
        return true;
      case 'cached':
        if (state !== undefined) return false;
        if (event.verdict.hit) this.#steps.set(id, 'over');
        return true;
      case 'note':
        // That another build is at it goes without saying here.
        return state !== 'over' && !event.text.startsWith('the same step is running already');
      case 'progress': {
        const item = `${id} ${event.progress.item}`;
        if (state === 'over' || this.#moved.has(item)) return false;
        if (event.progress.done === true) this.#moved.add(item);
        return true;
      }
      default:
        return state !== 'over';
    }
  }
}

function idOf(target: string, id: string): string {
  return id.startsWith('sha256:') ? id : `${target} ${id}`;
}

/** As buildx: the target goes first in the brackets, or into brackets of its own. */
function nameOf(target: string, name: string): string {
  return name.startsWith('[') ? `[${target} ${name.slice(1)}` : `[${target}] ${name}`;
}
