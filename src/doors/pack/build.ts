import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { readUserConfig, runCli, type Io } from '../cli/index.ts';
import { packError } from './errors.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { planPackBuild } from './plan-build.ts';
import { progress, tell } from './say.ts';

const ANSWERS_MS = 2000;

/** `pack build`: strake's build, into the daemon where one answers. */
export async function build(
  parsed: ParsedFlags,
  o: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  const { io } = o;
  const [image = ''] = parsed.words;
  const away = parsed.values.get('publish')?.at(-1) === 'true' || image.startsWith('oci:');
  const daemon = away ? undefined : await daemonOf(parsed.values.get('docker-host')?.at(-1), io);
  const plan = planPackBuild(parsed, { daemon, config: readUserConfig(io) });
  const quiet = parsed.values.get('quiet')?.at(-1) === 'true';
  if (!quiet) for (const note of plan.notes) tell(note, io);
  const [word = '', ...rest] = plan.argv;
  // What strake prints of the result pack does not.
  const silent = { ...io, stdout: { ...io.stdout, write: () => undefined } };
  const code = await runCli([word, ...progress(parsed), ...rest], { ...o, io: silent });
  if (code === 0 && !quiet) io.stdout.write(`Successfully built image '${plan.image}'\n`);
  return code;
}

/** The socket of a daemon that takes connections: the one that is named, else the first of the usual ones. Throws `PACK_UNSUPPORTED`, `PACK_FLAG_INVALID`. */
async function daemonOf(named: string | undefined, { env }: Io): Promise<string | undefined> {
  const host = named === undefined || named === 'inherit' ? env['DOCKER_HOST'] : named;
  if (host !== undefined && host !== '' && !host.startsWith('unix://'))
    throw packError(
      'PACK_UNSUPPORTED',
      `load the image into the daemon at "${host}": only sockets of this machine are reached`,
      {
        remedy: 'Use --publish, or --docker-host unix:///path.',
      },
    );
  const { daemonSockets } = await import('../../engine/index.ts');
  const sockets =
    host !== undefined && host !== ''
      ? [host.slice('unix://'.length)]
      : daemonSockets(env).filter((path) => existsSync(path));
  for (const socket of sockets) if (await answers(socket)) return socket;
  return undefined;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(ANSWERS_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
