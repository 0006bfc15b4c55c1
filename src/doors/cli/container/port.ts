import { machineError } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import type { CliContext } from '../command.ts';
import { findContainer } from './find-container.ts';
import { isRunning, notRunning } from './stop.ts';

/** `strake port`. */
export async function showPorts(name: string, wish: string | undefined, c: CliContext): Promise<void> {
  const [, number, wanted = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(wish ?? '') ?? [];
  if (wish !== undefined && number === undefined)
    throw usage(`read port "${wish}": it is no port`, 'Write 8080 or 53/udp.');
  const record = await findContainer(name, c);
  if (!isRunning(record)) throw notRunning(record);
  const found = record.ports.filter(
    ({ port, protocol }) => wish === undefined || (String(port) === number && protocol === wanted),
  );
  if (wish !== undefined && found.length === 0)
    throw machineError('PORT_NOT_FOUND', `find port ${wish} of container "${name}": it is not published`);
  for (const { port, protocol, hostAddress = '0.0.0.0', hostPort } of found) {
    const where = `${hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:${hostPort}`;
    c.io.stdout.write(wish === undefined ? `${port}/${protocol} -> ${where}\n` : `${where}\n`);
  }
}
