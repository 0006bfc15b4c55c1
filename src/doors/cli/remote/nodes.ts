import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeToml, hasErrno, parseToml, reasonOf } from '../../../base/index.ts';
import { cliError, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import type { TlsFiles } from './endpoint.ts';

/** A daemon that a user has given a name. */
export interface NodeEntry {
  readonly name: string;
  readonly address: string;
  /** It builds only for these. Empty: for what it says. */
  readonly platforms: readonly string[];
  readonly tls?: TlsFiles | undefined;
}

/** `strake/nodes.toml` in the user's folder for configuration. */
export function nodesPath({ env, home }: Pick<Io, 'env' | 'home'>): string {
  const { XDG_CONFIG_HOME: config } = env as { XDG_CONFIG_HOME?: string };
  return join(config?.startsWith('/') ? config : join(home, '.config'), 'strake/nodes.toml');
}

/** The named ones, in their order; none where there is no file. Throws `INVALID_TOML`, `CONFIG_INVALID`. */
export function readNodes(io: Pick<Io, 'env' | 'home'>): readonly NodeEntry[] {
  const path = nodesPath(io);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw cliError('CONFIG_INVALID', `read "${path}": ${reasonOf(error)}`, { cause: error });
  }
  const { nodes = [] } = parseToml(text, path) as { nodes?: unknown };
  const bad = (what: string): Error => cliError('CONFIG_INVALID', `read "${path}": ${what}`);
  if (!Array.isArray(nodes)) throw bad('"nodes" is no list of tables');
  return nodes.map((table: Readonly<Record<string, unknown>>, at) => {
    const text = (key: string): string | undefined => {
      const value = table[key];
      if (value === undefined || typeof value === 'string') return value;
      throw bad(`"${key}" of node ${at + 1} is not a text`);
    };
    const name = text('name');
    const address = text('address');
    if (name === undefined || address === undefined) throw bad(`node ${at + 1} has no name or no address`);
    const { platforms = [] } = table;
    if (!Array.isArray(platforms) || platforms.some((one) => typeof one !== 'string'))
      throw bad(`"platforms" of node "${name}" is no list of texts`);
    const tls = {
      ca: text('tls-ca'),
      cert: text('tls-cert'),
      key: text('tls-key'),
      serverName: text('tls-server-name'),
    };
    const isTls = Object.values(tls).some((one) => one !== undefined);
    return { name, address, platforms: platforms as string[], ...(isTls && { tls }) };
  });
}

/** Writes the file anew, whole or not at all. Throws `CONFIG_INVALID`. */
export function writeNodes(io: Pick<Io, 'env' | 'home' | 'random'>, nodes: readonly NodeEntry[]): void {
  const path = nodesPath(io);
  const temporary = `${path}.${io.random.hex(8)}`;
  const table = {
    nodes: nodes.map(({ name, address, platforms, tls }) => ({
      name,
      address,
      platforms: platforms.length > 0 ? platforms : undefined,
      'tls-ca': tls?.ca,
      'tls-cert': tls?.cert,
      'tls-key': tls?.key,
      'tls-server-name': tls?.serverName,
    })),
  };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, encodeToml(table), { mode: 0o600, flush: true });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw cliError('CONFIG_INVALID', `write "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Throws `USAGE` for what no node can be called. */
export function checkNodeName(name: string): void {
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(name))
    throw usage(`name a node "${name}": that is no name`, 'Use letters, digits, ".", "_" and "-".');
}
