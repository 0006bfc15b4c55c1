import type { CodedError, Wait } from '../../base/index.ts';
import { treeError } from '../../tree/index.ts';
import { LLBBridge } from '../../wire/gen/buildkit/gateway_pb.ts';
import { fromStatus, type CallOptions, type Client } from '../../wire/grpc/index.ts';
import type { RemoteConnection } from './connection.ts';

/** The build that a call of LLBBridge is part of (client/buildid in BuildKit). */
const BUILD_ID = 'buildkit-controlapi-buildid';

export type BridgeClient = Client<typeof LLBBridge>;

/** LLBBridge of one build: its calls say which (where the connection does not), and end with it. */
export class Bridge {
  readonly signal: AbortSignal;
  readonly #client: BridgeClient;
  readonly #id: string;

  constructor(connection: Pick<RemoteConnection, 'grpc'>, o: { readonly id: string; readonly signal: AbortSignal }) {
    this.#client = connection.grpc.client(LLBBridge);
    this.#id = o.id;
    this.signal = o.signal;
  }

  /** One call; `action` begins the message of what is thrown. Throws the status as an error of ours; of a question about a `path`, those of trees. */
  async call<T>(
    work: (client: BridgeClient, options: CallOptions) => Promise<T>,
    o: { readonly action?: string | undefined; readonly path?: boolean | undefined } & Wait = {},
  ): Promise<T> {
    const signal = o.signal ? AbortSignal.any([this.signal, o.signal]) : this.signal;
    try {
      return await work(this.#client, { headers: this.#id === '' ? {} : { [BUILD_ID]: this.#id }, signal });
    } catch (error) {
      throw o.path === true ? absence(fromStatus(error, o.action)) : fromStatus(error, o.action);
    }
  }
}

const WORDS = [
  [/: (?:no such file or directory|not found|file does not exist)$/, 'PATH_NOT_FOUND'],
  [/: not a directory$/, 'NOT_A_FOLDER'],
  [/: is a directory$/, 'NOT_A_FILE'],
] as const;

/** What is not there, or is something else, is said by BuildKit in words alone: system errors have no status of their own. */
export function absence(error: CodedError): CodedError {
  const { kind, message, cause } = error;
  const found = kind === 'failed' ? WORDS.find(([words]) => words.test(message)) : undefined;
  return found ? treeError(found[1], message, { cause }) : error;
}
