import { collectValues } from '../parse/values.ts';
import type { CliCommand } from '../command.ts';

/** What the command line of a daemon says, by commander's names. */
export interface DaemonFlags {
  readonly addr: readonly string[];
  readonly config?: string;
  readonly group?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
  readonly tlscacert?: string;
  readonly allowInsecureTcp?: boolean;
  readonly allowInsecureEntitlement: readonly string[];
  readonly debug?: boolean;
  readonly logFormat?: string;
  readonly logLevel?: string;
  readonly debugaddr?: string;
  readonly metricsAddr?: string;
  readonly drainTimeout: string;
  readonly ociWorkerLabels: readonly string[];
  readonly ociWorkerBinary?: string;
  readonly ociWorkerGc?: string | boolean;
  readonly ociWorkerGcKeepstorage?: string;
  readonly ociMaxParallelism?: string;
  readonly insecureRegistry: readonly string[];
}

/** Flags of BuildKit's daemon that have nothing to do here: accepted, so that what starts it need not know which one it starts. */
export const IDLE_FLAGS: readonly (readonly [flags: string, about: string])[] = [
  ['--trace', 'more in the log'],
  ['--rootless', 'set by itself here'],
  ['--oci-worker [bool]', 'the only worker there is'],
  ['--oci-worker-snapshotter <name>', 'found by itself'],
  ['--oci-worker-proxy-snapshotter-path <path>', ''],
  ['--oci-worker-platform <platform>', 'found by itself'],
  ['--oci-worker-net <mode>', 'found by itself'],
  ['--oci-worker-rootless', 'set by itself here'],
  ['--oci-worker-no-process-sandbox', 'as the ground is'],
  ['--oci-worker-apparmor-profile <name>', ''],
  ['--oci-worker-selinux', ''],
  ['--oci-cni-config-path <path>', ''],
  ['--oci-cni-binary-dir <path>', ''],
  ['--oci-cni-pool-size <n>', ''],
  ['--containerd-worker [bool]', 'not with this daemon'],
  ['--containerd-worker-gc [bool]', ''],
  ['--otel-socket-path <path>', ''],
  ['--cdi-disabled', ''],
  ['--cdi-spec-dir <path>', ''],
  ['--save-cache-debug', ''],
  ['--proxy-network', ''],
];

export const command: CliCommand = {
  about:
    "Serves this machine's store and builds over BuildKit's gRPC API, for docker buildx (driver remote), buildctl and strake on other machines. A link named buildkitd to the program is the same. See docs/daemon.md.",
  examples: [
    ['strake daemon', 'on the socket that buildctl looks for'],
    [
      'docker buildx create --name strake --driver remote unix:///run/buildkit/buildkitd.sock',
      'and docker buildx build --builder strake builds by it',
    ],
    [
      'strake daemon --addr tcp://0.0.0.0:1234 --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem',
      'over the network, for clients with a certificate of that authority',
    ],
  ],
  define(command, run) {
    command
      .option(
        '--addr <address>',
        'where to listen: unix:///path, tcp://host:port or fd:// (repeatable)',
        collectValues,
        [],
      )
      .option('--config <file>', 'buildkitd.toml (default /etc/buildkit/buildkitd.toml)')
      .option('--group <group>', 'group that may use the unix socket')
      .option('--tlscert <file>', 'certificate of this server')
      .option('--tlskey <file>', 'its key')
      .option('--tlscacert <file>', 'authority whose clients are served')
      .option('--allow-insecure-tcp', 'listen on TCP without certificates of clients')
      .option(
        '--allow-insecure-entitlement <name>',
        'what builds may be granted: network.host, security.insecure (repeatable)',
        collectValues,
        [],
      )
      .option('--debug', 'more in the log')
      .option('--log-format <format>', 'text or json')
      .option('--log-level <level>', 'debug or info')
      .option('--debugaddr <address>', 'the same as --metrics-addr')
      .option('--metrics-addr <address>', 'host:port for Prometheus (/metrics) and /healthz')
      .option('--drain-timeout <span>', 'on SIGTERM, how long running builds may go on', '30s')
      .option('--oci-worker-labels <name=value>', 'labels of the worker (repeatable)', collectValues, [])
      .option('--oci-worker-binary <program>', 'run steps with runc or crun')
      .option('--oci-worker-gc [bool]', 'give back space by itself')
      .option('--oci-worker-gc-keepstorage <size>', 'what is kept of the build cache then')
      .option('--oci-max-parallelism <n>', 'accepted: steps wait for a slot anyway')
      .option(
        '--insecure-registry <host>',
        'speak to this registry without TLS, or without trust in its certificate',
        collectValues,
        [],
      );
    for (const [flags, about] of IDLE_FLAGS) {
      const option = command.createOption(flags, `accepted, no effect${about === '' ? '' : `: ${about}`}`);
      command.addOption(option.hideHelp());
    }
    command.action((flags: DaemonFlags) =>
      run(command, async (context) => {
        const { lookAfterContainers } = await import('../container/look-after.ts');
        using _containers = lookAfterContainers(context);
        const { runDaemon } = await import('../../daemon/index.ts');
        return await runDaemon(flags, context);
      }),
    );
  },
};
