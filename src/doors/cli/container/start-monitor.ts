import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { CodedError, type ErrorKind } from '../../../base/index.ts';
import { machineError, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { keeperCommand } from '../settings.ts';
import { openContainers } from './containers.ts';

/** What a monitor says by its descriptor 3, a line of JSON each. */
export type MonitorWord =
  /** One can attach, and must for the container to be started. */
  | { readonly say: 'listening' }
  | { readonly say: 'started'; readonly notes: readonly string[]; readonly exitCode?: number | undefined }
  | {
      readonly say: 'failed';
      readonly error: {
        readonly code: string;
        readonly kind: ErrorKind;
        readonly message: string;
        readonly remedy?: string | undefined;
      };
    };

/** A monitor that was started: what it says, until it closes that. */
export interface StartedMonitor {
  /** The next thing that it says. Throws what the container failed by, and `MONITOR_LOST`. */
  next(): Promise<Exclude<MonitorWord, { say: 'failed' }>>;
}

/** What the monitor says of defects of its own. */
const SAID = 'monitor.log';
/** Small generations: a monitor does little and lives long; what its start took is given back (`giveBack` of monitor-main). */
const LEAN = ['--max-semi-space-size=1', '--max-old-space-size=192'];

/** Starts this program again as the monitor of a container; it goes on when this process ends. */
export function startMonitor(
  record: ContainerRecord,
  o: { readonly c: CliContext; readonly attachFirst?: boolean | undefined; readonly filesOnly?: boolean | undefined },
): StartedMonitor {
  const { settings, io } = o.c;
  const folder = openContainers(o.c).store.folderOf(record.id);
  const { command, args } = keeperCommand('__monitor');
  const said = openSync(join(folder, SAID), 'a', 0o600);
  const how = o.filesOnly === true ? ['files'] : o.attachFirst === true ? ['attach'] : [];
  const words = [settings.root, record.id, ...how];
  const lean = process.getBuiltinModule('node:sea').isSea() ? [] : LEAN;
  const child = spawn(command, [...lean, ...args, ...words], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', said, 'pipe'],
    env: environment(io.env),
  });
  closeSync(said);
  child.unref();
  const lines = linesOf(child.stdio[3] as Readable);
  child.once('error', (error) => lines.fail(error));
  return {
    next: async () => {
      const word = await lines.next();
      if (word === undefined)
        throw machineError('MONITOR_LOST', `start container "${record.name}": what watches it has ended`, {
          remedy: `See what it said: ${lastLine(join(folder, SAID)) ?? 'nothing'}.`,
        });
      if (word.say === 'failed') throw new CodedError(word.error);
      return word;
    },
  };
}

/** What tools, Node and strake need; nothing that somebody keeps in a shell for other programs. */
function environment(env: CliContext['io']['env']): Record<string, string> {
  const names = [
    'PATH',
    'HOME',
    'USER',
    'LANG',
    'TMPDIR',
    'XDG_RUNTIME_DIR',
    'XDG_DATA_HOME',
    'XDG_CACHE_HOME',
    'XDG_CONFIG_HOME',
    'DOCKER_CONFIG',
    'REGISTRY_AUTH_FILE',
    'NODE_COMPILE_CACHE',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'no_proxy',
  ];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function linesOf(stream: Readable): { next(): Promise<MonitorWord | undefined>; fail(error: unknown): void } {
  let failure: unknown;
  const words = (async function* (): AsyncGenerator<MonitorWord, undefined> {
    let text = '';
    for await (const chunk of stream) {
      text += String(chunk);
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        yield JSON.parse(text.slice(0, end)) as MonitorWord;
        text = text.slice(end + 1);
      }
    }
    return undefined;
  })();
  return {
    next: async () => {
      const { value } = await words.next();
      if (value === undefined && failure !== undefined) throw failure;
      return value;
    },
    fail: (error) => (failure = error),
  };
}

function lastLine(path: string): string | undefined {
  return readFileSync(path, 'utf8').trim().split('\n').at(-1) || undefined;
}
