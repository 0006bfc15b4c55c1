import { canonicalJson, tempFolder, type Clock, type Json, type Random } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { FileAction, FileOp } from '../graph/index.ts';
import type { CacheKey, InputKey, OpRunner, StepContext } from '../solve/index.ts';
import { writeLayer, type Selection } from '../tree/index.ts';
import { accessOf, type FetchFor } from './access.ts';
import { applyFileOp, copySelections, pickSelections } from './file-op/index.ts';
import { fileParts } from './key-parts.ts';
import type { LayerService } from './layer-service.ts';
import type { Ref } from './ref.ts';
import type { Session } from './session.ts';

/** Copies and other changes to a tree with nothing run in it: read from tables of contents, written as one layer. */
export class FileRunner implements OpRunner<FileOp, Ref, Session> {
  readonly #layers: LayerService;
  readonly #fetchFor: FetchFor;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #scratch: string;

  constructor(o: { layers: LayerService; fetchFor: FetchFor; clock: Clock; random: Random; scratch: string }) {
    this.#layers = o.layers;
    this.#fetchFor = o.fetchFor;
    this.#clock = o.clock;
    this.#random = o.random;
    this.#scratch = o.scratch;
  }

  /** The base takes part by its recipe; what is copied by its content, so that only what is copied counts. */
  async cacheKey(op: FileOp, context: StepContext<Session>): Promise<CacheKey> {
    const inputs: InputKey[] = context.vertex.inputs.map((_, input) => {
      const selections = op.actions.flatMap((action) => selectionsOf(action, input));
      const named = op.actions.some((action) => looksUpOwners(action, input));
      if (input === 0 || named || selections.length === 0) return { by: 'recipe' };
      return { by: 'recipe-then-content', select: { selections } };
    });
    return {
      digest: digestOf(canonicalJson({ file: op as unknown as Json })),
      inputs,
      get parts() {
        return fileParts(op, context.vertex);
      },
    };
  }

  async run(op: FileOp, inputs: readonly Ref[], context: StepContext<Session>): Promise<readonly Ref[]> {
    const access = accessOf(context, this.#fetchFor);
    const [first, ...others] = inputs;
    if (!first) throw new TypeError('run a file step: it has no input 0');
    const root = await this.#layers.stacked(first, access);
    const [base, ...sources] = await this.#layers.viewsOf([root, ...others], access);
    if (!base) throw new TypeError('run a file step: its input 0 has no view');
    using scratch = tempFolder(this.#scratch, this.#random);
    const changes = await applyFileOp(op, {
      base,
      inputs: [base, ...sources],
      clock: this.#clock,
      scratch: scratch.path,
      log: (text) => void context.log('stderr', Buffer.from(`${text}\n`)),
      signal: context.signal,
    });
    const { diffId, compressed } = await writeLayer(changes, {
      store: this.#layers.store,
      dialect: op.dialect ?? 'oci',
      codec: context.host.codecFor(context.vertex.digest),
      signal: context.signal,
      onProgress: (bytes) => context.progress({ item: 'layer', current: bytes, unit: 'bytes' }),
    });
    if (compressed) this.#layers.rememberCompressed(diffId, compressed);
    return [{ kind: 'layers', layers: [...root.layers, { diffId, createdAt: this.#clock.now() }] }];
  }
}

function looksUpOwners(action: FileAction, input: number): boolean {
  if (action.kind === 'remove') return false;
  return action.owner?.userInput === input || action.owner?.groupInput === input;
}

/** What of an input an action reads (see `RefResults.content`). */
function selectionsOf(action: FileAction, input: number): readonly Selection[] {
  if (action.kind !== 'copy' && action.kind !== 'pick') return [];
  if (!('input' in action.from) || action.from.input !== input) return [];
  return action.kind === 'copy' ? copySelections(action) : pickSelections(action);
}
