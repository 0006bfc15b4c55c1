import { hostPort, type ContainerRecord } from '../../../machine/index.ts';
import { ageText } from '../print/units.ts';

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`. */
export function statusText(record: ContainerRecord, now: number): string {
  const { status, exitCode, health } = record;
  const ended = (): string => ageText(record.finishedAt, now);
  if (status === 'running') {
    const since = ageText(record.startedAt, now).replace(/ ago$/, '');
    const shown = health === undefined ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
    return `Up ${since === 'just now' ? 'less than a second' : since}${shown}`;
  }
  if (status === 'restarting') return `Restarting (${exitCode ?? 0}) ${ended()}`;
  if (status === 'created') return record.error === undefined ? 'Created' : 'Created (could not be started)';
  return `Exited (${record.lost === true ? 'lost' : (exitCode ?? 0)}) ${ended()}`;
}

/** `0.0.0.0:8080->80/tcp`, one for each port. */
export function portTexts(record: Pick<ContainerRecord, 'ports'>): string[] {
  return record.ports.map(({ hostAddress, hostPort: port, port: inside, protocol }) => {
    const address = hostAddress ?? '0.0.0.0';
    return `${address.includes(':') ? hostPort(address, port) : `${address}:${port}`}->${inside}/${protocol}`;
  });
}

/** What it runs, as one line. */
export function commandText({ spec }: ContainerRecord): string {
  const { config } = spec.config;
  const { entrypoint, command = [] } = spec.overrides;
  const first = entrypoint === undefined ? (config?.Entrypoint ?? []) : entrypoint === '' ? [] : [entrypoint];
  const rest = command.length > 0 ? command : entrypoint === undefined ? (config?.Cmd ?? []) : [];
  return [...first, ...rest].join(' ');
}
