import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { Database, HttpClient, messageOf, type Random } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import { formatPlatform, hostPlatform } from '../../image/index.ts';
import { BuildServer, type ServerInfo } from '../../serve/index.ts';
import { KeptFiles } from '../../wire/buildkit/index.ts';
import { formatAddress, GrpcServer, parseAddress, type ServerTls } from '../../wire/grpc/index.ts';
import {
  acceptStop,
  daemonTracing,
  engineFor,
  versionLine,
  type DaemonFlags,
  type Io,
  type Settings,
} from '../cli/index.ts';
import { millisecondsFrom } from './amounts.ts';
import { readDaemonConfig, type DaemonConfig } from './config.ts';
import { DaemonLog } from './daemon-log.ts';
import { daemonError } from './errors.ts';
import { collector, gcPolicies } from './gc.ts';
import { groupNumber } from './group.ts';
import { serveMetrics } from './metrics.ts';
import { registrySettings } from './registry-settings.ts';
import { markRunning } from './running-mark.ts';

const CONFIG = 'buildkit/buildkitd.toml';

/** Serves until the signal fires, then lets what runs finish. */
export async function runDaemon(
  flags: DaemonFlags,
  { settings, io, signal }: { readonly settings: Settings; readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  const begun = performance.now();
  const isRoot = process.getuid?.() === 0;
  const path =
    flags.config ?? (isRoot ? `/etc/${CONFIG}` : join(io.env['XDG_CONFIG_HOME'] ?? join(io.home, '.config'), CONFIG));
  const config = readDaemonConfig(path, { required: flags.config !== undefined });
  const log = new DaemonLog({
    write: (text) => io.stderr.write(text),
    clock: io.clock,
    json: (flags.logFormat ?? config.logFormat) === 'json',
    debug: flags.debug === true || config.debug === true || flags.logLevel === 'debug',
  });
  for (const key of config.unknown) log.warn(`${path}: key "${key}" is not known here and has no effect`);
  const given = io.env['STRAKE_ROOT'] !== undefined || settings.root !== defaultRoot(io);
  const root = given || config.root === undefined ? settings.root : config.root;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const texts = flags.addr.length > 0 ? flags.addr : config.addresses;
  const addresses = texts.length > 0 ? texts : [defaultAddress(io, isRoot)];
  using mark = markRunning(root, addresses);
  void mark;
  await using engine = await engineFor({
    ...settings,
    root,
    insecure: [...settings.insecure, ...flags.insecureRegistry],
    registries: registrySettings(config),
    executor: settings.executor ?? executorOf(flags.ociWorkerBinary ?? config.executor),
  });
  using database = Database.open(join(root, 'strake.db'));
  const gc = gcPolicies(config.gc, flags, root);
  await using http = new HttpClient({ env: io.env });
  const server = new BuildServer({
    engine,
    cloud: { http, env: io.env, home: io.home, clock: io.clock },
    database,
    clock: io.clock,
    random: io.random,
    scratch: join(root, 'tmp'),
    kept: new KeptFiles(join(root, 'context', 'remote'), { clock: io.clock, random: io.random }),
    info: infoOf({ root, config, flags, io, gc: gc.policies }),
    entitlements: new Set([...config.entitlements, ...flags.allowInsecureEntitlement]),
    history: {
      entries: config.history.entries ?? 50,
      age: config.history.age ?? 48 * 3_600_000,
    },
    tracing: daemonTracing({ ...io, warn: (text) => log.warn(text) }),
    log: (line, fields) => log.info(line, fields),
    ended: collector(engine, gc, log),
  });
  await using grpc = new GrpcServer({
    routes: server.routes,
    raw: server.raw,
    onFault: (error, call) => log.error(`${call}: ${messageOf(error)}`, stackOf(error)),
  });
  const tls = tlsOf(flags, config);
  const gid = flags.group === undefined ? config.gid : groupNumber(flags.group);
  for (const text of addresses) {
    if (text.startsWith('fd://')) {
      for (const fd of socketsGiven(io)) {
        await grpc.listen({ kind: 'fd', fd });
        log.info(`running server on fd://${fd}`);
      }
      continue;
    }
    const address = parseAddress(text);
    if (address.kind === 'tcp' && !tls?.clientCa && flags.allowInsecureTcp !== true)
      throw daemonError('DAEMON_TLS', `listen on "${text}": anybody who reaches it could run builds here`, {
        remedy:
          'Give --tlscacert, --tlscert and --tlskey, or --allow-insecure-tcp where the network itself keeps others out.',
      });
    if (address.kind === 'unix') mkdirSync(dirname(address.path), { recursive: true, mode: 0o711 });
    const bound = await grpc.listen(address, {
      tls: address.kind === 'tcp' ? tls : undefined,
      gid,
      mode: gid === undefined ? 0o600 : 0o660,
    });
    if (bound.kind !== 'fd') log.info(`running server on ${formatAddress(bound)}`);
  }
  const metricsAddress = flags.metricsAddr ?? flags.debugaddr ?? config.debugAddress;
  await using metrics =
    metricsAddress === undefined ? undefined : await serveMetrics(metricsAddress, { server, engine });
  if (metrics) log.info(`metrics on http://${metrics.address}/metrics`);
  log.info('ready', { ms: Math.round(performance.now() - begun), since_start_ms: Math.round(performance.now()), root });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  acceptStop(signal);
  log.info('stopping');
  grpc.stopListening();
  await server.drain(millisecondsFrom(flags.drainTimeout) ?? 30_000);
  log.info('stopped');
  return 0;
}

function defaultRoot(io: Io): string {
  const { XDG_DATA_HOME: data } = io.env;
  return join(data?.startsWith('/') ? data : join(io.home, '.local/share'), 'strake');
}

/** Where buildctl looks. */
function defaultAddress(io: Io, isRoot: boolean): string {
  const runtime = io.env['XDG_RUNTIME_DIR'];
  return `unix://${!isRoot && runtime !== undefined ? runtime : '/run'}/buildkit/buildkitd.sock`;
}

function executorOf(name: string | undefined): Settings['executor'] {
  const known = name?.replace(/^.*\//, '').replace(/^buildkit-/, '');
  return known === 'runc' || known === 'crun' ? known : undefined;
}

function stackOf(error: unknown): Record<string, string> {
  return error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
}

/** Sockets that systemd has opened for this process (sd_listen_fds). */
function socketsGiven(io: Io): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = io.env as { LISTEN_PID?: string; LISTEN_FDS?: string };
  if (pid !== String(process.pid) || count === undefined)
    throw daemonError('DAEMON_FLAG', 'listen on "fd://": no socket was given to this process', {
      remedy: 'Start it by a socket unit of systemd.',
    });
  return Array.from({ length: Number(count) }, (_, at) => 3 + at);
}

function tlsOf(flags: DaemonFlags, { tls }: DaemonConfig): ServerTls | undefined {
  const [cert, key, ca] = [flags.tlscert ?? tls.cert, flags.tlskey ?? tls.key, flags.tlscacert ?? tls.ca];
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  const read = (path: string | undefined, what: string): Uint8Array => {
    if (path === undefined) throw daemonError('DAEMON_FLAG', `listen with TLS: the ${what} is missing`);
    try {
      return readFileSync(path);
    } catch (error) {
      throw daemonError('DAEMON_FLAG', `read the ${what}: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    cert: read(cert, 'certificate (--tlscert)'),
    key: read(key, 'key (--tlskey)'),
    clientCa: ca === undefined ? undefined : read(ca, 'authority of clients (--tlscacert)'),
  };
}

function infoOf(o: {
  readonly root: string;
  readonly config: DaemonConfig;
  readonly flags: DaemonFlags;
  readonly io: Io;
  readonly gc: ServerInfo['gc'];
}): ServerInfo {
  const labels = o.flags.ociWorkerLabels.map((text): [string, string] => {
    const equals = text.indexOf('=');
    return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  });
  return {
    id: workerId(o.root, o.io.random),
    platforms: platforms(),
    labels: {
      'org.mobyproject.buildkit.worker.executor': 'oci',
      'org.mobyproject.buildkit.worker.hostname': hostname(),
      'org.mobyproject.buildkit.worker.network': 'host',
      'org.mobyproject.buildkit.worker.snapshotter': 'strake',
      ...o.config.labels,
      ...Object.fromEntries(labels),
    },
    gc: o.gc,
    version: versionLine().replace(/^\S+\s+/, ''),
  };
}

/** The same for as long as the store is. */
function workerId(root: string, random: Random): string {
  const path = join(root, 'workerid');
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const id = random.hex(16);
  writeFileSync(path, id, { mode: 0o600 });
  return id;
}

/** What runs here: the machine's own, and what its processor also does. */
function platforms(): readonly Platform[] {
  const native = hostPlatform(process);
  const also = native.architecture === 'amd64' ? [{ os: native.os, architecture: '386' }] : [];
  return [...new Map([native, ...also].map((one) => [formatPlatform(one), one])).values()];
}
