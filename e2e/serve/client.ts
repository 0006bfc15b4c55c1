import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { systemRandom } from '../../src/base/index.ts';
import { localHost } from '../../src/doors/cli/local-host.ts';
import { folderSource } from '../../src/tree/index.ts';
import { openSession, type OpenSession } from '../../src/wire/buildkit/index.ts';
import { openConnection, StatusError, type Client, type GrpcConnection } from '../../src/wire/grpc/index.ts';
import { Control, type StatusResponse } from '../../src/wire/gen/buildkit/control_pb.ts';
import { LLBBridge, type Result } from '../../src/wire/gen/buildkit/gateway_pb.ts';
import { CHECKOUT } from '../lib/strake.ts';

/** A daemon as a process of its own, on a socket in `folder`. */
export class Daemon implements AsyncDisposable {
  readonly folder: string;
  readonly socket: string;
  readonly process: ChildProcess;
  readonly exited: Promise<number>;
  log = '';

  private constructor(folder: string, args: readonly string[]) {
    this.folder = folder;
    this.socket = join(folder, 'daemon.sock');
    this.process = spawn(
      join(CHECKOUT, 'strake'),
      ['daemon', '--addr', `unix://${this.socket}`, '--root', join(folder, 'store'), ...args],
      { env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.exited = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143))),
    );
  }

  static async start(folder: string, args: readonly string[] = []): Promise<Daemon> {
    mkdirSync(folder, { recursive: true });
    const daemon = new Daemon(folder, args);
    const ready = new Promise<void>((resolve, reject) => {
      daemon.process.stderr?.on('data', (chunk: Buffer) => {
        daemon.log += chunk.toString();
        if (daemon.log.includes('msg="ready"')) resolve();
      });
      void daemon.exited.then((code) => reject(new Error(`the daemon ended with ${code}: ${daemon.log}`)));
    });
    await ready;
    return daemon;
  }

  connect(): Promise<GrpcConnection> {
    return openConnection({ kind: 'unix', path: this.socket });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGTERM');
    await this.exited;
  }
}

export interface BuildWish {
  readonly ref: string;
  /** Files of the context, by path. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly exporters?: readonly { readonly Type: string; readonly Attrs: Record<string, string> }[] | undefined;
  /** A file for the stream of the first exporter. */
  readonly output?: string | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly folder: string;
  readonly internal?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStatus?: ((status: StatusResponse) => void) | undefined;
  /** Before it says what came of it: the ref that was solved, or why it was not. */
  readonly look?: ((at: LookAt) => Promise<void>) | undefined;
}

/** A build that still stands. */
export interface LookAt {
  readonly bridge: Client<typeof LLBBridge>;
  readonly headers: Readonly<Record<string, string>>;
  readonly ref: string;
  readonly error: StatusError | undefined;
}

export interface BuildOutcome {
  readonly response: Readonly<Record<string, string>>;
  readonly status: readonly StatusResponse[];
  readonly result: Result | undefined;
}

/** One build as docker buildx makes it with driver remote: status, session and solve at once; the gateway steers; what the frontend gave is returned. */
export async function buildLikeBuildx(connection: GrpcConnection, wish: BuildWish): Promise<BuildOutcome> {
  const control = connection.client(Control);
  const bridge = connection.client(LLBBridge);
  const headers = { 'buildkit-controlapi-buildid': wish.ref };
  await using session = sessionFor(connection, wish);
  const { signal } = wish;
  const status: StatusResponse[] = [];
  const following = (async () => {
    for await (const part of control.status({ Ref: wish.ref }, { signal })) {
      status.push(part);
      wish.onStatus?.(part);
    }
  })();
  following.catch(() => undefined);
  const solving = control.solve(
    {
      Ref: wish.ref,
      Session: session.hello.id,
      Internal: wish.internal ?? false,
      FrontendAttrs: { ...wish.options },
      Exporters: [...(wish.exporters ?? [])],
      ExporterDeprecated: wish.exporters?.[0]?.Type ?? '',
      ExporterAttrsDeprecated: wish.exporters?.[0]?.Attrs ?? {},
      Cache: {},
    },
    { signal },
  );
  solving.catch(() => undefined);
  let result: Result | undefined;
  try {
    await bridge.ping({}, { headers, timeoutMs: 15_000, signal });
    if (!wish.internal) {
      const answer = await bridge.solve(
        {
          Frontend: 'dockerfile.v0',
          FrontendOpt: { ...wish.options },
          allowResultReturn: true,
          allowResultArrayRef: true,
        },
        { headers, signal },
      );
      ({ result } = answer);
      if (wish.look) await looked(result, { look: wish.look, bridge, headers });
    }
    await bridge.return(result ? { result } : {}, { headers, signal });
  } catch (error) {
    const { code, message, details } = error instanceof StatusError ? error : new StatusError(2, String(error));
    await bridge.return({ error: { code, message, details: [...details] } }, { headers }).catch(() => undefined);
  }
  const { ExporterResponse: response } = await solving;
  await following;
  return { response, status, result };
}

/** Solves what came of it, and lets it be looked at. Throws what solving did. */
async function looked(
  result: Result | undefined,
  o: Omit<LookAt, 'ref' | 'error'> & { readonly look: (at: LookAt) => Promise<void> },
): Promise<void> {
  const ref = result?.result.case === 'ref' ? result.result.value.id : '';
  const error = await o.bridge.evaluate({ Ref: ref }, { headers: o.headers }).then(
    () => undefined,
    (thrown: unknown) => {
      if (thrown instanceof StatusError) return thrown;
      throw thrown;
    },
  );
  await o.look({ ...o, ref, error });
  if (error) throw error;
}

function sessionFor(connection: GrpcConnection, wish: BuildWish): OpenSession {
  const context = join(wish.folder, `context-${wish.ref}`);
  for (const [path, text] of Object.entries(wish.files)) {
    mkdirSync(dirname(join(context, path)), { recursive: true });
    writeFileSync(join(context, path), text);
  }
  const secrets = Object.entries(wish.secrets ?? {}).map(([id, text]) => {
    const file = join(wish.folder, `secret-${wish.ref}-${id}`);
    writeFileSync(file, text);
    return [id, { file }] as const;
  });
  const source = folderSource(context);
  const host = localHost({
    files: new Map([
      ['context', source],
      ['dockerfile', source],
    ]),
    secrets: new Map(secrets),
    agents: new Map(),
    sinks: new Map(wish.output === undefined ? [] : [['0', { kind: 'file', path: wish.output }]]),
    credentials: async () => undefined,
    env: {},
    random: systemRandom,
  });
  return openSession(connection, host, {
    id: systemRandom.hex(12),
    sharedKey: 'ctx:test',
    files: ['context', 'dockerfile'],
    sinks: ['0'],
    secrets: true,
    credentials: true,
  });
}
