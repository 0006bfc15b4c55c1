/** The builders under measure: how each is found, given the base and asked for an archive. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './measure.ts';

export interface Tool {
  readonly name: string;
  readonly version: string;
  /** Seconds that the command it is reached through takes before the tool starts; taken off each of its times. */
  readonly reach: number;
  /** Names or pids of daemons that do its work. */
  readonly daemons: readonly (string | number)[];
  /** It takes part only in workloads about the files of a context. */
  readonly transfersOnly?: boolean | undefined;
  /** Its output says, as buildx's plain progress does, how many bytes of a context travelled. */
  readonly tellsTravel?: boolean | undefined;
  /** Makes the base known to the tool, where a workload builds on it; outside the timing. */
  prepare(base: Base): void;
  /** From a context folder to an OCI archive; the commands are timed together. */
  build(context: string, archive: string): readonly Command[];
  /** Takes back what was put where others see it. */
  close(): void;
}

/** The Debian base: an OCI archive of one image, and the same unpacked. */
export interface Base {
  readonly archive: string;
  readonly layout: string;
}

export interface Absent {
  readonly name: string;
  readonly absent: string;
}

export type FindTool = (work: string) => Tool | Absent;

const REPOSITORY = join(import.meta.dirname, '..');
const BASE_NAME = 'strake-bench-base:latest';

export const DEBIAN = 'packages.local/debian:bookworm';

/** `store`: its folder. */
export const strake = (store: string): Tool => {
  const how = reach('STRAKE_BENCH_STRAKE', join(REPOSITORY, 'strake'));
  const env = { STRAKE_ROOT: store };
  return {
    name: 'strake',
    version: (JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }).version,
    reach: 0,
    daemons: [],
    prepare: () => undefined,
    build: (context, archive) => [
      {
        argv: [...how.prefix, 'build', context, '--build-arg', `BASE=${DEBIAN}`, '-o', `type=oci,dest=${archive}`],
        env,
      },
    ],
    close: () => undefined,
  };
};

export const docker: FindTool = () => {
  const how = reach('STRAKE_BENCH_DOCKER', 'docker');
  const server = ask([...how.prefix, 'version', '--format', '{{.Server.Version}}']);
  if (server === undefined) return { name: 'docker', absent: 'no docker daemon answers (STRAKE_BENCH_DOCKER)' };
  const buildx = ask([...how.prefix, 'buildx', 'version']);
  if (buildx === undefined) return { name: 'docker', absent: 'docker has no buildx' };
  return {
    name: 'docker',
    version: `${server}, buildx ${number(buildx)}`,
    reach: how.seconds(),
    daemons: ['dockerd', 'containerd'],
    tellsTravel: true,
    prepare(base) {
      const said = must([...how.prefix, 'load', '--input', how.path(base.archive)]);
      const loaded = /Loaded image(?: ID)?: (\S+)/.exec(said)?.[1];
      if (loaded === undefined) throw new Error(`docker load did not name what it loaded: ${said}`);
      must([...how.prefix, 'tag', loaded, BASE_NAME]);
    },
    build: (context, archive) => [
      {
        // --provenance=false: no peer's archive has an attestation in it.
        argv: [
          ...how.prefix,
          'buildx',
          'build',
          '--progress=plain',
          '--provenance=false',
          '--build-arg',
          `BASE=${BASE_NAME}`,
        ].concat('--output', `type=oci,dest=${how.path(archive)}`, how.path(context)),
      },
    ],
    close: () => void ask([...how.prefix, 'image', 'rm', BASE_NAME]),
  };
};

export const DAEMON = 'buildx-on-strake';

/** Docker's buildx with strake's daemon as its builder (driver remote), in a store of its own. */
export const daemon: FindTool = (work) => {
  const name = DAEMON;
  const how = reach('STRAKE_BENCH_DOCKER', 'docker');
  const buildx = ask([...how.prefix, 'buildx', 'version']);
  if (buildx === undefined) return { name, absent: 'there is no docker with buildx (STRAKE_BENCH_DOCKER)' };
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
  const folder = join(work, 'daemon');
  mkdirSync(folder);
  const socket = join(folder, 'socket');
  const process = spawn(
    join(REPOSITORY, 'strake'),
    ['daemon', '--addr', `unix://${socket}`, '--root', join(folder, 'store')],
    { stdio: 'ignore' },
  );
  for (let tries = 0; !existsSync(socket); tries += 1) {
    if (tries === 600) throw new Error('strake daemon did not begin to listen');
    pause(100);
  }
  const builder = `strake-bench-${process.pid}`;
  must([...how.prefix, 'buildx', 'create', '--name', builder, '--driver', 'remote', `unix://${how.path(socket)}`]);
  return {
    name,
    version: `${version}, buildx ${number(buildx)}`,
    reach: how.seconds(),
    daemons: process.pid === undefined ? [] : [process.pid],
    transfersOnly: true,
    tellsTravel: true,
    prepare: () => undefined,
    build: (context, archive) => [
      {
        argv: [...how.prefix, 'buildx', '--builder', builder, 'build', '--progress=plain', '--provenance=false'].concat(
          '--output',
          `type=oci,dest=${how.path(archive)}`,
          how.path(context),
        ),
      },
    ],
    close() {
      ask([...how.prefix, 'buildx', 'rm', builder]);
      process.kill('SIGTERM');
      // What it has in its folder is taken away next.
      for (let tries = 0; tries < 100 && isRunning(process.pid); tries += 1) pause(100);
    },
  };
};

export const buildkit: FindTool = () => {
  const how = reach('STRAKE_BENCH_BUILDKIT', 'buildctl');
  if (ask([...how.prefix, 'debug', 'workers']) === undefined)
    return { name: 'buildkit', absent: 'no buildkitd answers buildctl (STRAKE_BENCH_BUILDKIT)' };
  let base: readonly string[] = [];
  return {
    name: 'buildkit',
    version: number(ask([...how.prefix, 'debug', 'info']) ?? '') ?? number(must([...how.prefix, '--version'])) ?? '?',
    reach: how.seconds(),
    daemons: ['buildkitd'],
    prepare({ layout }) {
      const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
      base = ['--oci-layout', `base=${how.path(layout)}`]
        .concat('--opt', `context:${BASE_NAME}=oci-layout://base@${index.manifests[0]?.digest}`)
        .concat('--opt', `build-arg:BASE=${BASE_NAME}`);
    },
    build: (context, archive) => [
      {
        argv: [...how.prefix, 'build', '--frontend', 'dockerfile.v0', ...base]
          .concat('--local', `context=${how.path(context)}`, '--local', `dockerfile=${how.path(context)}`)
          .concat('--output', `type=oci,dest=${how.path(archive)}`),
      },
    ],
    close: () => undefined,
  };
};

export const buildah: FindTool = (work) => {
  const how = reach('STRAKE_BENCH_BUILDAH', 'buildah');
  const version = ask([...how.prefix, '--version']);
  if (version === undefined) return { name: 'buildah', absent: 'not on PATH (STRAKE_BENCH_BUILDAH)' };
  const storage = join(work, 'buildah');
  mkdirSync(storage);
  const own = [...how.prefix, '--root', how.path(join(storage, 'root')), '--runroot', how.path(join(storage, 'run'))];
  let built = 0;
  return {
    name: 'buildah',
    version: number(version) ?? '?',
    reach: how.seconds(),
    daemons: [],
    prepare(base) {
      const id = must([...own, 'pull', '--quiet', `oci-archive:${how.path(base.archive)}`]).trim();
      must([...own, 'tag', id, `localhost/${BASE_NAME}`]);
    },
    build(context, archive) {
      built += 1;
      const image = `localhost/strake-bench:${built}`;
      return [
        // --layers: a layer for each step and a cache, as the others have; --jobs: stages side by side.
        {
          argv: [...own, 'build', '--layers', '--jobs', '4', '--build-arg', `BASE=localhost/${BASE_NAME}`].concat(
            '--tag',
            image,
            how.path(context),
          ),
        },
        { argv: [...own, 'push', image, `oci-archive:${how.path(archive)}`] },
      ];
    },
    close: () => undefined,
  };
};

/**
 * Only ever by STRAKE_BENCH_KANIKO, which must give it a root of its own: kaniko builds in place and empties the root that it runs in. Its base comes from a registry: STRAKE_BENCH_KANIKO_BASE
 * names it there.
 */
export const kaniko: FindTool = (work) => {
  const how = reach('STRAKE_BENCH_KANIKO', '');
  const base = process.env['STRAKE_BENCH_KANIKO_BASE'];
  if (how.prefix[0] === '') return { name: 'kaniko', absent: 'STRAKE_BENCH_KANIKO does not say how it is run' };
  if (base === undefined) return { name: 'kaniko', absent: 'STRAKE_BENCH_KANIKO_BASE does not say where its base is' };
  mkdirSync(join(work, 'kaniko'));
  return {
    name: 'kaniko',
    version: number(must([...how.prefix, 'version'])) ?? '?',
    reach: how.seconds(),
    daemons: [],
    prepare: () => undefined,
    build: (context, archive) => [
      {
        argv: [
          ...how.prefix,
          '--context',
          `dir://${how.path(context)}`,
          '--dockerfile',
          how.path(join(context, 'Dockerfile')),
        ]
          .concat(
            '--build-arg',
            `BASE=${base}`,
            '--no-push',
            '--destination',
            'strake-bench',
            '--tar-path',
            how.path(archive),
          )
          .concat(
            '--cache=true',
            '--cache-copy-layers',
            '--cache-repo',
            `oci:${how.path(join(work, 'kaniko'))}`,
            '--cleanup',
          ),
      },
    ],
    close: () => undefined,
  };
};

export const peers: ReadonlyMap<string, FindTool> = new Map([
  ['docker', docker],
  [DAEMON, daemon],
  ['buildkit', buildkit],
  ['buildah', buildah],
  ['kaniko', kaniko],
]);

/** How a tool is started: by the variable's words, with paths as seen under STRAKE_BENCH_PEER_ROOT; else by its name on PATH. */
function reach(variable: string, program: string) {
  const words = process.env[variable]?.split(/\s+/).filter((word) => word !== '') ?? [];
  const elsewhere = words.length > 0 ? (process.env['STRAKE_BENCH_PEER_ROOT'] ?? '') : '';
  return {
    prefix: words.length > 0 ? words : [program],
    path: (path: string) => elsewhere + path,
    /** The median of what `true` takes in the tool's place. */
    seconds(): number {
      if (words.length < 2) return 0;
      const times = Array.from({ length: 9 }, () => {
        const started = process.hrtime.bigint();
        spawnSync(words[0]!, [...words.slice(1, -1), 'true']);
        return Number(process.hrtime.bigint() - started) / 1e9;
      });
      return times.sort((a, b) => a - b)[4]!;
    },
  };
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** proc_pid_stat(5), field 3. */
function isRunning(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** What a command wrote to its standard output; undefined if it failed or is not there. */
function ask(argv: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(argv[0]!, argv.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

function must(argv: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`"${argv.join(' ')}" failed: ${stderr}`);
  return stdout;
}

function number(text: string): string | undefined {
  return /\d+\.\d+(\.\d+)?/.exec(text)?.[0];
}
