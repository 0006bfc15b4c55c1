import { execError } from './errors.ts';
import type { Process } from './process.ts';

/** The variables that no secret takes the place of. */
export function plainEnv({ env, secretEnv = [] }: Pick<Process, 'env' | 'secretEnv'>): readonly string[] {
  if (secretEnv.length === 0) return env;
  const secret = new Set(secretEnv.map(nameOf));
  return env.filter((entry) => !secret.has(nameOf(entry)));
}

/** The name in `NAME=value`. */
export function nameOf(entry: string): string {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
}

const PREFIX = 'STRAKE_SECRET_';

/** Secret variables on their way to what starts the process: in its environment, under other names, because a command line could be read by every user of the machine. */
export function secretsFor({ secretEnv = [] }: Pick<Process, 'secretEnv'>): Record<string, string> {
  return Object.fromEntries(secretEnv.map((entry, i) => [`${PREFIX}${i}`, entry]));
}

/** The same, where they have come to. */
export function secretsIn(env: Readonly<Record<string, string | undefined>>): string[] {
  const found: string[] = [];
  for (let entry = env[`${PREFIX}0`]; entry !== undefined; entry = env[`${PREFIX}${found.length}`]) found.push(entry);
  return found;
}

/** Throws `STEP_UNSUPPORTED` for a secret variable that a shell cannot set. */
export function checkNames({ secretEnv = [] }: Pick<Process, 'secretEnv'>): void {
  const other = secretEnv.map(nameOf).find((name) => !/^[A-Za-z_]\w*$/.test(name));
  if (other !== undefined)
    throw execError('STEP_UNSUPPORTED', `give a secret as variable "${other}": the built-in executor cannot`, {
      remedy: 'Name it by letters, digits and "_", or install crun or runc.',
    });
}
