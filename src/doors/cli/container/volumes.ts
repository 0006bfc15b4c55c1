import { hasCode } from '../../../base/index.ts';
import { machineError, type ContainerRecord, type Volume } from '../../../machine/index.ts';
import { keyValues } from '../parse/values.ts';
import { jsonText, tableText } from '../print/table.ts';
import { ageText } from '../print/units.ts';
import type { CliContext } from '../command.ts';
import { openContainers } from './containers.ts';

/** `strake volume ls`. */
export async function listVolumes(
  flags: { readonly quiet?: boolean | undefined; readonly format: 'table' | 'json' },
  c: CliContext,
): Promise<void> {
  const { io } = c;
  const { store, volumes } = openContainers(c);
  const all = volumes.list();
  if (flags.quiet) for (const { name } of all) io.stdout.write(`${name}\n`);
  else if (flags.format === 'json') io.stdout.write(jsonText(all.map((volume) => volumeJson(volume, store.list()))));
  else {
    const containers = store.list();
    const now = io.clock.now();
    io.stdout.write(
      tableText(
        [{ title: 'VOLUME NAME' }, { title: 'CREATED' }, { title: 'CONTAINERS' }],
        all.map(({ name, createdAt }) => [
          name,
          ageText(createdAt, now),
          usersOf(name, containers)
            .map((one) => one.name)
            .join(', '),
        ]),
        { style: io.outStyle },
      ),
    );
  }
}

/** `strake volume create`. */
export async function createVolume(
  name: string,
  flags: { readonly label: readonly string[] },
  c: CliContext,
): Promise<void> {
  const labels = Object.fromEntries(keyValues(flags.label, { what: '--label', alone: () => '' }));
  c.io.stdout.write(`${openContainers(c).volumes.ensure(name, { labels }).name}\n`);
}

/** `strake volume rm`. */
export async function removeVolumes(
  names: readonly string[],
  flags: { readonly force?: boolean | undefined },
  c: CliContext,
): Promise<void> {
  const { store, volumes } = openContainers(c);
  const containers = store.list();
  for (const name of names) {
    const [user] = usersOf(name, containers);
    if (user)
      throw machineError('VOLUME_IN_USE', `remove volume "${name}": container "${user.name}" has it`, {
        remedy: `Remove that first: strake container rm ${user.name}.`,
      });
    try {
      await volumes.remove(name, c);
      c.io.stdout.write(`${name}\n`);
    } catch (error) {
      if (flags.force !== true || !hasCode(error, 'VOLUME_NOT_FOUND')) throw error;
    }
  }
}

/** `strake volume inspect`. */
export async function inspectVolumes(names: readonly string[], c: CliContext): Promise<void> {
  const { store, volumes } = openContainers(c);
  const containers = store.list();
  c.io.stdout.write(jsonText(names.map((name) => volumeJson(volumes.find(name), containers))));
}

function volumeJson(volume: Volume, containers: readonly ContainerRecord[]): unknown {
  return {
    Name: volume.name,
    Mountpoint: volume.path,
    CreatedAt: new Date(volume.createdAt).toISOString(),
    Labels: volume.labels,
    Containers: usersOf(volume.name, containers).map(({ name }) => name),
  };
}

function usersOf(volume: string, containers: readonly ContainerRecord[]): ContainerRecord[] {
  return containers.filter(({ spec }) => spec.volumes.some(({ name }) => name === volume));
}
