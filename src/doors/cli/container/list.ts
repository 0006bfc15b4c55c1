import { restartText, type ContainerRecord } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import { jsonText, tableText } from '../print/table.ts';
import { ageText, shortId } from '../print/units.ts';
import type { CliContext } from '../command.ts';
import { liveContainers } from './revive.ts';
import { commandText, portTexts, statusText } from './status.ts';
import { isRunning } from './stop.ts';

export interface ListFlags {
  readonly all?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly trunc: boolean;
  readonly last?: string | undefined;
  readonly latest?: boolean | undefined;
  readonly filter: readonly string[];
  readonly format: 'table' | 'json';
}

/** `strake ps`. */
export async function listContainers(flags: ListFlags, c: CliContext): Promise<void> {
  const { io } = c;
  const keep = filterOf(flags.filter);
  const last = flags.latest === true ? 1 : countOf(flags.last);
  const everything =
    flags.all === true || last !== undefined || flags.filter.some((one) => /^(?:status|exited)=/.test(one));
  const shown = (await liveContainers(c))
    .filter((record) => (everything || isRunning(record)) && keep(record))
    .slice(0, last);
  if (flags.quiet) {
    for (const { id } of shown) io.stdout.write(`${id}\n`);
    return;
  }
  const now = io.clock.now();
  if (flags.format === 'json') {
    io.stdout.write(jsonText(shown.map((record) => rowJson(record, now))));
    return;
  }
  const cut = (text: string, most: number): string =>
    flags.trunc && text.length > most ? `${text.slice(0, most - 1)}…` : text;
  io.stdout.write(
    tableText(
      [
        { title: 'CONTAINER ID' },
        { title: 'IMAGE' },
        { title: 'COMMAND' },
        { title: 'CREATED' },
        { title: 'STATUS' },
        { title: 'PORTS' },
        { title: 'NAMES' },
      ],
      shown.map((record) => [
        record.id,
        cut(record.spec.image, 40),
        cut(JSON.stringify(commandText(record)), 24),
        ageText(record.createdAt, now),
        statusText(record, now),
        portTexts(record).join(', '),
        record.name,
      ]),
      { style: io.outStyle },
    ),
  );
}

/** A container for programs, with the names that "docker ps --format json" has. */
function rowJson(record: ContainerRecord, now: number): unknown {
  const { spec } = record;
  return {
    ID: record.id,
    Names: record.name,
    Image: spec.image,
    ImageID: spec.imageId,
    Command: commandText(record),
    CreatedAt: new Date(record.createdAt).toISOString(),
    State: record.status,
    Status: statusText(record, now),
    Health: record.health ?? '',
    ExitCode: record.exitCode ?? null,
    RestartPolicy: restartText(spec.restart),
    RestartCount: record.restarts,
    Ports: portTexts(record),
    Volumes: spec.volumes.map(({ name }) => name),
    Labels: spec.labels,
  };
}

function countOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '-1') return undefined;
  if (!/^\d{1,6}$/.test(text)) throw usage(`read --last "${text}": it is no number`);
  return Number(text);
}

type Test = (record: ContainerRecord, value: string) => boolean;

const TESTS: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => id.startsWith(value),
  name: ({ name }, value) => name.includes(value.replace(/^\//, '')),
  status: ({ status }, value) => status === value,
  health: ({ health }, value) => (health ?? 'none') === value,
  exited: ({ status, exitCode }, value) => status === 'exited' && String(exitCode) === value,
  label: ({ spec }, value) => {
    const [key = '', ...rest] = value.split('=');
    return key in spec.labels && (rest.length === 0 || spec.labels[key] === rest.join('='));
  },
  ancestor: ({ spec }, value) =>
    spec.image === value ||
    spec.image.replace(/:[^:/]*$/, '') === value ||
    shortId(spec.imageId).startsWith(shortId(value)),
  volume: ({ spec }, value) =>
    [...spec.volumes.flatMap(({ name, target }) => [name, target]), ...(spec.overrides.volumes ?? [])].includes(value),
};

/** Filters of one key are alternatives; all keys must be met. */
function filterOf(filters: readonly string[]): (record: ContainerRecord) => boolean {
  const wanted = Map.groupBy(
    filters.map((text) => {
      const equals = text.indexOf('=');
      const key = text.slice(0, Math.max(0, equals));
      if (!(key in TESTS))
        throw usage(
          `read --filter "${text}": there is no such filter`,
          `Use one of: ${Object.keys(TESTS).join(', ')}, as name=web.`,
        );
      return { key, value: text.slice(equals + 1) };
    }),
    ({ key }) => key,
  );
  return (record) =>
    [...wanted].every(([key, values]) => values.some(({ value }) => TESTS[key]?.(record, value) === true));
}
