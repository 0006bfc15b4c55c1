import { systemRandom, type Clock, type Wait } from '../../base/index.ts';
import { MemoryBlobStore } from '../../blob/index.ts';
import { RegistryClient, type RegistryClientOptions } from '../client.ts';
import { MemoryManifestStore } from '../server/manifest-store.ts';
import { RegistryServer, type RegistryServerOptions } from '../server/registry-server.ts';
import type { RegistryNotice } from '../transport.ts';

/** A clock that goes on only when somebody sleeps by it, so that retries take no time. */
export class FakeClock implements Clock {
  /** The waits that were asked for, in milliseconds. */
  readonly waits: number[] = [];
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  readonly sleep = async (ms: number, w?: Wait): Promise<void> => {
    w?.signal?.throwIfAborted();
    this.waits.push(ms);
    this.#now += ms;
    // The network is real: what a server does in the background needs a moment.
    await new Promise((resolve) => setTimeout(resolve, 2));
  };
}

/** A registry in memory, listening on loopback. */
export async function registryOf(
  options: Partial<RegistryServerOptions> = {},
): Promise<{ server: RegistryServer; blobs: MemoryBlobStore; manifests: MemoryManifestStore } & AsyncDisposable> {
  const blobs = new MemoryBlobStore();
  const manifests = new MemoryManifestStore();
  const failures: string[] = [];
  const server = await RegistryServer.listen({
    blobs,
    manifests,
    clock: { now: () => Date.now() },
    random: systemRandom,
    failed: (error, request) => failures.push(`${request}: ${String(error)}`),
    ...options,
  });
  return {
    server,
    blobs,
    manifests,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      if (failures.length > 0) throw new Error(`the registry failed: ${failures.join('; ')}`);
    },
  };
}

/** A client whose waits take no time, and what it told. */
export function clientOf(
  options: Partial<RegistryClientOptions> = {},
): { client: RegistryClient; clock: FakeClock; notices: RegistryNotice[] } & AsyncDisposable {
  const clock = new FakeClock();
  const notices: RegistryNotice[] = [];
  const client = new RegistryClient({
    clock,
    random: systemRandom,
    sleep: clock.sleep,
    notice: (notice) => notices.push(notice),
    certificateFolders: [],
    env: {},
    ...options,
  });
  return { client, clock, notices, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}
