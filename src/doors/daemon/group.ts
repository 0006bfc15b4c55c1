import { readFileSync } from 'node:fs';
import { daemonError } from './errors.ts';

/** The number of a group of this machine, given by number or by name. Throws `DAEMON_FLAG`. */
export function groupNumber(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [name, , gid] = line.split(':');
    if (name === group && gid !== undefined) return Number(gid);
  }
  throw daemonError('DAEMON_FLAG', `read --group "${group}": this machine has no such group`);
}
