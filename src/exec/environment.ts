import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { resolveInRoot } from './in-root.ts';
import { plainEnv } from './secret-env.ts';
import type { Process } from './process.ts';

/** A step's variables but the secret ones, with HOME from its /etc/passwd when it has none, as the runtimes set it. */
export function environment(process: Pick<Process, 'env' | 'secretEnv' | 'user'>, rootfs: string): string[] {
  const env = plainEnv(process).filter((entry) => entry.indexOf('=') > 0);
  if ([...env, ...(process.secretEnv ?? [])].some((entry) => entry.startsWith('HOME='))) return env;
  return [...env, `HOME=${homeOf(process.user.uid, rootfs)}`];
}

function homeOf(uid: number, rootfs: string): string {
  const place = resolveInRoot(rootfs, '/etc/passwd');
  if (place.missing.length > 0) return '/';
  const file = join(rootfs, ...place.exists);
  if (!statSync(file).isFile()) return '/';
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.split(':');
    if (fields[2] === String(uid)) return fields[5] || '/';
  }
  return '/';
}
