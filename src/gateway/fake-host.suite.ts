import { CodedError } from '../base/index.ts';
import { digestOf, type Platform } from '../blob/index.ts';
import type {
  Container,
  ContainerProcess,
  ContainerRequest,
  Frontend,
  FrontendHost,
  FrontendRequest,
  PlannedImage,
  Warning,
} from '../frontend/index.ts';
import type { SourceOp, State } from '../graph/index.ts';
import { encodeConfig, type RunConfig } from '../image/index.ts';

/** What a frontend's image does: the exit code of its process. */
export type Program = (process: ContainerProcess, w: { readonly signal: AbortSignal }) => Promise<number>;

export interface FakeGateway {
  readonly program?: Program | undefined;
  readonly config?: RunConfig | undefined;
  /** Files of the local source "dockerfile". */
  readonly files?: Readonly<Record<string, string>> | undefined;
  readonly inputs?: ReadonlyMap<string, State> | undefined;
  readonly frontends?: Readonly<Record<string, Frontend>> | undefined;
}

/** A host whose containers are functions. */
export class FakeGatewayHost implements FrontendHost {
  readonly containers: ContainerRequest[] = [];
  readonly processes: ContainerProcess[] = [];
  readonly warnings: Warning[] = [];
  readonly log: string[] = [];
  readonly resolved: SourceOp[] = [];
  readonly states: State[] = [];
  /** Containers that stand. */
  open = 0;
  readonly #o: FakeGateway;

  constructor(o: FakeGateway) {
    this.#o = o;
  }

  async resolve(source: SourceOp): ReturnType<FrontendHost['resolve']> {
    this.resolved.push(source);
    if (source.source.type === 'image' && source.source.reference.includes('absent'))
      throw new CodedError({ code: 'ABSENT', kind: 'not_found', message: `${source.source.reference}: not found` });
    const config = encodeConfig({
      os: 'linux',
      architecture: 'amd64',
      config: { Entrypoint: ['/frontend', 'serve'], ...this.#o.config },
      rootfs: { type: 'layers', diff_ids: [] },
    });
    return { source, digest: digestOf(config), config };
  }

  find(source: SourceOp): ReturnType<FrontendHost['resolve']> {
    return this.resolve(source);
  }

  async solve(state: State): ReturnType<FrontendHost['solve']> {
    this.states.push(state);
    return { id: String(this.states.length - 1) };
  }

  async read(ref: { readonly id: string }, path: string): Promise<Uint8Array> {
    const op = this.states[Number(ref.id)]?.edge?.vertex.op;
    const written = op?.kind === 'file' ? op.actions.find((action) => action.kind === 'mkfile') : undefined;
    if (written?.kind === 'mkfile') return Buffer.from(written.content, written.encoding ?? 'utf8');
    const text = this.#o.files?.[path.replace(/^\//, '')];
    if (text === undefined) throw new CodedError({ code: 'ABSENT', kind: 'not_found', message: `${path}: none` });
    return Buffer.from(text);
  }

  async list(): ReturnType<FrontendHost['list']> {
    return Object.entries(this.#o.files ?? {}).map(([path, text]) => ({
      path,
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: text.length,
      mtime: 0,
      mtimeNs: 0,
    }));
  }

  async stat(_ref: unknown, path: string): ReturnType<FrontendHost['stat']> {
    return (await this.list()).find((entry) => entry.path === path);
  }

  async diffIds(): Promise<readonly never[]> {
    return [];
  }

  async container(request: ContainerRequest): Promise<Container> {
    this.containers.push(request);
    this.open += 1;
    const gone = new AbortController();
    const absent = (): never => {
      throw new TypeError('nobody looks into it');
    };
    return {
      run: async (process, w) => {
        this.processes.push(process);
        const signal = w?.signal ? AbortSignal.any([w.signal, gone.signal]) : gone.signal;
        return (this.#o.program ?? (async () => 0))(process, { signal });
      },
      read: absent,
      list: absent,
      stat: absent,
      [Symbol.asyncDispose]: async () => {
        this.open -= 1;
        gone.abort();
      },
    };
  }

  task<T>(_name: string, work: (say: (line: string) => void) => Promise<T>): Promise<T> {
    return work((line) => this.log.push(line));
  }

  call(frontend: string, request: FrontendRequest): ReturnType<FrontendHost['call']> {
    const known = this.#o.frontends?.[frontend];
    if (known) return known(request, this);
    throw new CodedError({ code: 'FRONTEND_UNKNOWN', kind: 'unsupported', message: `no frontend "${frontend}"` });
  }

  input(name: string): State | undefined {
    return this.#o.inputs?.get(name);
  }

  inputImage(): PlannedImage | undefined {
    return undefined;
  }

  inputNames(): readonly string[] {
    return [...(this.#o.inputs?.keys() ?? [])];
  }

  warn(warning: Warning): void {
    this.warnings.push(warning);
  }
}

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };

export const requestFor = (options: Readonly<Record<string, string>>): FrontendRequest => ({
  options: { source: 'example.org/front:1', ...options },
  platforms: [amd64],
  buildPlatform: amd64,
});
