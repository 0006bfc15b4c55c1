import { readFileSync } from 'node:fs';
import { findTool } from '../../src/base/index.ts';

/** An ordinary user that rootless tests can run as, with a command line that makes what follows run so. */
export type AsUser = { readonly command: readonly string[]; readonly home: string } | { readonly reason: string };

/** This user, or (as root) the first one with subordinate ids that is not root. */
export function findUser(): AsUser {
  const names = new Set(lines('/etc/subuid').map((line) => line.split(':')[0]));
  const passwd = lines('/etc/passwd').map((line) => line.split(':'));
  const own = process.getuid?.() ?? 0;
  const [name, , uid, gid, , home] =
    passwd.find((fields) => (own === 0 ? names.has(fields[0]) && fields[2] !== '0' : fields[2] === `${own}`)) ?? [];
  if (name === undefined || !names.has(name))
    return { reason: 'no ordinary user has a range in /etc/subuid ("useradd -m someone" makes one)' };
  for (const tool of ['newuidmap', 'newgidmap', 'setpriv'])
    if (findTool(tool) === undefined) return { reason: `${tool} is not installed` };
  const ids = ['--reuid', uid ?? '', '--regid', gid ?? '', '--init-groups'];
  return { command: own === 0 ? ['setpriv', ...ids, '--'] : [], home: home ?? '/' };
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
