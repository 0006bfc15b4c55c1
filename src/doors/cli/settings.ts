import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseToml, systemRandom } from '../../base/index.ts';
import { openEngine, type Engine } from '../../engine/index.ts';
import { basesTable, readAptConfig, type BaseRequest } from '../../packages/index.ts';
import { Credentials } from '../../registry/index.ts';

/** What the command line and the environment say about where things are; handed to commands. */
export interface Settings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  /** The store's folder. */
  readonly root: string;
  /** Folder of strake.toml, where bases are named. */
  readonly project: string;
  readonly executor?: 'runc' | 'crun' | 'builtin' | undefined;
  readonly mirror?: string | undefined;
  readonly keyring?: string | undefined;
  readonly insecure?: readonly string[] | undefined;
}

/** The store's folder: --root, STRAKE_ROOT, $XDG_DATA_HOME/strake, ~/.local/share/strake. */
export function storeFolder(o: { root?: string | undefined; env: Settings['env']; home: string }): string {
  const { STRAKE_ROOT: own, XDG_DATA_HOME: data } = o.env as { STRAKE_ROOT?: string; XDG_DATA_HOME?: string };
  if (o.root !== undefined && o.root !== '') return o.root;
  if (own !== undefined && own !== '') return own;
  return join(data !== undefined && data.startsWith('/') ? data : join(o.home, '.local/share'), 'strake');
}

export function defaultSettings(): Pick<Settings, 'env' | 'home' | 'cwd'> {
  return { env: process.env, home: process.env['HOME'] ?? homedir(), cwd: process.cwd() };
}

export async function engineFor(settings: Settings): Promise<Engine> {
  return openEngine({
    root: settings.root,
    keeper: { command: process.execPath, args: [...process.execArgv, process.argv[1] ?? '', '__keeper'] },
    executor: settings.executor,
    insecure: settings.insecure,
    bases: {
      apt: () => readAptConfig(),
      named: namedBases(settings.project),
      mirror: settings.mirror,
      keyring: settings.keyring,
    },
  });
}

export function credentialsFor(settings: Pick<Settings, 'env' | 'home'>, warn: (message: string) => void): Credentials {
  return new Credentials({
    env: settings.env,
    home: settings.home,
    uid: process.getuid?.(),
    random: systemRandom,
    warn,
  });
}

/** `[bases]` of strake.toml in a folder; none where there is no such file. */
function namedBases(folder: string): Map<string, BaseRequest> {
  const file = join(folder, 'strake.toml');
  return existsSync(file)
    ? basesTable(parseToml(readFileSync(file, 'utf8'), file), file)
    : new Map<string, BaseRequest>();
}
