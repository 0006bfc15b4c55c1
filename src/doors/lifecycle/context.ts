import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { HttpClient, Lazy, tempFolder, type Wait } from '../../base/index.ts';
import { DiskBlobStore, type Platform } from '../../blob/index.ts';
import type { ApiVersion } from '../../frontend/buildpack/index.ts';
import { hostPlatform, parseReference } from '../../image/index.ts';
import { RegistryClient, type CredentialLookup } from '../../registry/index.ts';
import type { Io } from '../cli/index.ts';
import type { Inputs } from './inputs.ts';
import type { DaemonConnection } from './images/daemon-connection.ts';
import { DaemonImages } from './images/daemon-images.ts';
import { LayoutImages } from './images/layout-images.ts';
import type { Images } from './images/images.ts';
import { RegistryImages } from './images/registry-images.ts';
import { phaseLogins } from './logins.ts';
import type { PhaseLog } from './phase-log.ts';

/** What a phase works with. */
export interface PhaseContext extends Wait {
  readonly io: Pick<Io, 'clock' | 'random'>;
  readonly inputs: Inputs;
  readonly api: ApiVersion;
  readonly log: PhaseLog;
  readonly registry: RegistryClient;
  /** App and run images, wherever this build has them; caches are in a registry. */
  readonly images: Images;
  /** Registries, also where images are elsewhere. */
  readonly remote: Images;
  /** The folder of launch layers, of a daemon. */
  readonly launchCache: string | undefined;
  readonly platform: Platform;
  /** The process's environment, as buildpacks are to see it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A store for layers on their way; gone at the end. */
  readonly store: () => Promise<DiskBlobStore>;
}

/** The context of one run of a program; what it holds is given back at its end. */
export class PhaseWorld implements AsyncDisposable {
  readonly context: PhaseContext;
  readonly #stack = new AsyncDisposableStack();
  readonly #logins: CredentialLookup;

  constructor(
    o: {
      io: Io;
      inputs: Inputs;
      log: PhaseLog;
      env: PhaseContext['env'];
      daemon?: DaemonConnection | undefined;
    } & Wait,
  ) {
    const { io, inputs, log } = o;
    this.#logins = phaseLogins({
      env: inputs.env,
      home: io.home,
      random: io.random,
      warn: (message) => log.warn(message),
      cloud: async (way, w) => {
        const { loginFromHelper } = await import('../executor/index.ts');
        await using http = new HttpClient({ env: inputs.env });
        return await loginFromHelper(way, w.registry, { http, env: inputs.env, home: io.home, clock: io.clock }, w);
      },
    });
    const insecure = inputs.list('insecure-registry');
    const registry = this.#stack.use(
      new RegistryClient({
        clock: io.clock,
        random: io.random,
        env: inputs.env,
        credentials: this.#logins,
        insecure,
        skipVerify: insecure,
        notice: (notice) => log.debug(JSON.stringify(notice)),
      }),
    );
    const platform = hostPlatform(process);
    const isLayout = inputs.since('0.12') && inputs.bool('layout');
    const remote = new RegistryImages(registry, platform);
    const launchCache = o.daemon && inputs.text('launch-cache') !== '' ? inputs.path('launch-cache') : undefined;
    const store = new Lazy(async () => {
      const folder = this.#stack.use(tempFolder(inputs.env['TMPDIR'] || tmpdir(), io.random));
      return new DiskBlobStore(join(folder.path, 'blobs'), io);
    });
    const daemon =
      o.daemon &&
      this.#stack.use(
        new DaemonImages({
          connection: o.daemon,
          random: io.random,
          scratch: () => this.#stack.use(tempFolder(inputs.env['TMPDIR'] || tmpdir(), io.random)).path,
          store: () => store.get(),
          launchCache,
        }),
      );
    const layouts = isLayout ? new LayoutImages(inputs.path('layout-dir'), { platform, random: io.random }) : undefined;
    this.context = {
      io,
      inputs,
      api: inputs.api,
      log,
      registry,
      images: daemon ?? layouts ?? remote,
      remote,
      launchCache,
      platform,
      env: o.env,
      store: () => store.get(),
      signal: o.signal,
    };
  }

  /** Asks for the logins of these images now, while root's files can be read. */
  async readLogins(names: readonly string[], w: Wait): Promise<void> {
    for (const name of new Set(names)) {
      let target;
      try {
        target = parseReference(name);
      } catch {
        // Told by who uses it.
        continue;
      }
      await this.#logins({ registry: target.registry, repository: target.repository }, w);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Writes a file of the platform's, and the folder that it is in. */
export function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
