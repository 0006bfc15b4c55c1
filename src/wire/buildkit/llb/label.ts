import type { SourcePlace } from '../../../base/index.ts';
import type { VertexLabel } from '../../../graph/index.ts';
import type { FileAction, Op, OpMetadata, Source as WireSource, SourceInfo } from '../../gen/buildkit/ops_pb.ts';

const LONGEST_NAME = 1000;
const MOST_LINES = 40;
const MOST_TEXT = 8 << 10;

/** What is said of an op, as ours: its name, group, place and whether the cache counts. */
export function labelOf(
  op: Op,
  o: {
    readonly metadata: OpMetadata | undefined;
    readonly place: SourcePlace | undefined;
    /** Names of its inputs. */
    readonly inputs: readonly string[];
  },
): VertexLabel {
  const { metadata, place } = o;
  const { description = {} } = metadata ?? {};
  const name = description['llb.customname'] || shortened(nameOf(op, o.inputs), LONGEST_NAME);
  const written = description['com.docker.dockerfile.v1.command'];
  const group = metadata?.progressGroup?.name;
  return {
    name,
    ...(written ? { written } : {}),
    ...(group ? { group } : {}),
    ...(place ? { place } : {}),
    ...(name.startsWith('[internal]') ? { internal: true } : {}),
    ...(metadata?.ignoreCache ? { ignoreCache: true } : {}),
  };
}

/** As BuildKit names an op that nobody gave a name. */
function nameOf({ op }: Op, inputs: readonly string[]): string {
  const short = (index: number): string => shortened(inputs[index] ?? 'scratch', 80);
  switch (op.case) {
    case 'source':
      return op.value.identifier;
    case 'exec':
      return op.value.meta?.args.join(' ') ?? 'exec';
    case 'file':
      return op.value.actions.slice(0, 20).map(actionName).join(', ');
    case 'build':
      return 'build';
    case 'merge':
      return `merge (${inputs
        .slice(0, 20)
        .map((_, index) => short(index))
        .join(', ')})`;
    case 'diff': {
      const side = (input: bigint | undefined): string =>
        input === undefined || input < 0n ? 'scratch' : `(${short(Number(input))})`;
      return `diff ${side(op.value.lower?.input)} -> ${side(op.value.upper?.input)}`;
    }
    case 'passthrough':
      return `passthrough ${op.value.id}`;
    default:
      return 'unknown';
  }
}

function actionName({ action }: FileAction): string {
  switch (action.case) {
    case 'copy':
      return `copy ${action.value.src} ${action.value.dest}`;
    case 'symlink':
      return `symlink ${action.value.newpath} -> ${action.value.oldpath}`;
    case undefined:
      return 'unknown';
    default:
      return `${action.case} ${action.value.path}`;
  }
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Where people wrote the ops of a definition. */
export class Places {
  readonly #source: WireSource | undefined;
  readonly #lines = new Map<SourceInfo, readonly string[]>();

  constructor(source: WireSource | undefined) {
    this.#source = source;
  }

  /** The first place that is told for an op. */
  of(digest: string): SourcePlace | undefined {
    const { locations = {}, infos = [] } = this.#source ?? {};
    if (!Object.hasOwn(locations, digest)) return undefined;
    for (const { sourceIndex, ranges } of locations[digest]?.locations ?? []) {
      const info = infos[sourceIndex];
      const [first] = ranges;
      const line = first?.start?.line ?? 0;
      if (!info || !first || line < 1) continue;
      const last = ranges.reduce((end, range) => Math.max(end, range.end?.line ?? 0), line);
      const column = first.start?.character ?? 0;
      return {
        file: info.filename || 'definition',
        line,
        ...(column > 0 ? { column: column + 1 } : {}),
        ...(last > line ? { endLine: last } : {}),
        text: this.#text(info, line, last),
      };
    }
    return undefined;
  }

  #text(info: SourceInfo, line: number, last: number): string | undefined {
    let lines = this.#lines.get(info);
    if (!lines) {
      lines = Buffer.from(info.data).toString().split(/\r?\n/);
      this.#lines.set(info, lines);
    }
    const quoted = lines.slice(line - 1, Math.min(last, line - 1 + MOST_LINES));
    return quoted.length === 0 ? undefined : shortened(quoted.join('\n'), MOST_TEXT);
  }
}
