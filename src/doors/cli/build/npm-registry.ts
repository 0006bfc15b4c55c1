import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Io } from '../io.ts';

/**
 * The npm registry that npm's configuration on this machine names (npm's `config`, `registry`): for a build whose sandbox sees none of it. Undefined where the application has no package.json or names a registry itself, where no npm is installed, and for a URL that logs in: that
 * is a secret, and comes by a service binding. `ask` is npm's own word, asked where no file says it.
 */
export function npmRegistry(
  app: string,
  o: Pick<Io, 'env' | 'home'> & { readonly ask?: (() => string | undefined) | undefined },
): string | undefined {
  if (!existsSync(join(app, 'package.json'))) return undefined;
  const set = Object.keys(o.env).find((name) => name.toLowerCase() === 'npm_config_registry');
  const own = set === undefined ? undefined : o.env[set];
  if (own === undefined && registryIn(join(app, '.npmrc')) !== undefined) return undefined;
  const found = own ?? registryIn(join(o.home, '.npmrc')) ?? (o.ask ?? (() => askNpm(o.env)))();
  if (found === undefined || !URL.canParse(found)) return undefined;
  const { protocol, username, password } = new URL(found);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? found : undefined;
}

/** `registry` of an .npmrc; what has variables in it is left to npm. */
function registryIn(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const line = /^\s*registry\s*=\s*["']?([^\s"'#;]+)/m.exec(text)?.[1];
  return line?.includes('${') === true ? undefined : line;
}

function askNpm(env: Io['env']): string | undefined {
  const done = spawnSync('npm', ['config', 'get', 'registry'], { env, cwd: '/', encoding: 'utf8', timeout: 10_000 });
  const said = done.status === 0 ? done.stdout.trim() : '';
  return said === '' || said === 'undefined' ? undefined : said;
}
