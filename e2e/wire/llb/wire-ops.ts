import { digestOf } from '../../../src/blob/index.ts';
import {
  DefinitionSchema,
  OpSchema,
  type Definition,
  OpMetadataSchema,
  type FileActionCopySchema,
} from '../../../src/wire/gen/buildkit/ops_pb.ts';
import { create, toBinary, type MessageInitShape } from '../../../src/wire/grpc/index.ts';

type OpInit = MessageInitShape<typeof OpSchema>;
export type OpCase = NonNullable<OpInit['op']>;
export type FileActionInit = Extract<OpCase, { case: 'file' }>['value'] extends infer F
  ? F extends { actions?: (infer A)[] }
    ? A
    : never
  : never;
export type ExecInit = Extract<OpCase, { case: 'exec' }>['value'];
export type MountInit = ExecInit extends { mounts?: (infer M)[] } ? M : never;
type MetadataInit = MessageInitShape<typeof OpMetadataSchema>;
type CopyInit = Partial<MessageInitShape<typeof FileActionCopySchema>>;

/** One output of an op. */
export interface Out {
  readonly digest: string;
  readonly index: number;
}

/** A definition put together by hand, for what strake's own graphs never say. */
export class WireOps {
  readonly #def: Uint8Array[] = [];
  readonly #metadata: Record<string, MetadataInit> = {};

  op(op: OpCase, inputs: readonly Out[] = [], metadata?: MetadataInit): Out {
    const bytes = toBinary(
      OpSchema,
      create(OpSchema, {
        op,
        inputs: inputs.map(({ digest, index }) => ({ digest, index: BigInt(index) })),
        ...(op.case === 'exec' || op.case === 'source' ? { platform: { OS: 'linux', Architecture: 'amd64' } } : {}),
      }),
    );
    this.#def.push(bytes);
    const digest = digestOf(bytes);
    if (metadata) this.#metadata[digest] = create(OpMetadataSchema, metadata as never);
    return { digest, index: 0 };
  }

  source(identifier: string, attrs: Record<string, string> = {}): Out {
    return this.op({ case: 'source', value: { identifier, attrs } });
  }

  /** Actions on inputs; the last one's result is the output. */
  file(actions: readonly FileActionInit[], inputs: readonly Out[] = []): Out {
    return this.op({ case: 'file', value: { actions: [...actions] } }, inputs);
  }

  exec(exec: ExecInit, inputs: readonly Out[], metadata?: MetadataInit): Out {
    return this.op({ case: 'exec', value: exec }, inputs, metadata);
  }

  end(result: Out): Definition {
    this.op({ case: undefined }, [result]);
    return create(DefinitionSchema, { def: this.#def, metadata: this.#metadata });
  }
}

/** A text made at a path on `input`. */
export function mkfile(
  path: string,
  data: string,
  more: Record<string, unknown> & { input?: number; output?: number } = {},
): FileActionInit {
  const { input = -1, output = -1, ...rest } = more;
  return {
    input: BigInt(input),
    secondaryInput: -1n,
    output: BigInt(output),
    action: { case: 'mkfile', value: { path, data: Buffer.from(data), mode: 0o644, timestamp: -1n, ...rest } },
  };
}

export function mkdir(
  path: string,
  more: Record<string, unknown> & { input?: number; output?: number } = {},
): FileActionInit {
  const { input = -1, output = -1, ...rest } = more;
  return {
    input: BigInt(input),
    secondaryInput: -1n,
    output: BigInt(output),
    action: { case: 'mkdir', value: { path, mode: 0o755, timestamp: -1n, ...rest } },
  };
}

/** A copy as Dockerfiles mean it, but for `more`. */
export function copy(
  src: string,
  dest: string,
  o: { input?: number; from: number; output?: number } & CopyInit,
): FileActionInit {
  const { input = -1, from, output = -1, ...rest } = o;
  const value = {
    src,
    dest,
    mode: -1,
    timestamp: -1n,
    followSymlink: true,
    dirCopyContents: true,
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    ...rest,
  };
  return {
    input: BigInt(input),
    secondaryInput: BigInt(from),
    output: BigInt(output),
    action: { case: 'copy', value },
  } as FileActionInit;
}
