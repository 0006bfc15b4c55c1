import { hasCode } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { machineError } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { engineFor } from '../settings.ts';
import { openContainers } from './containers.ts';

/** `strake rmi`: an image that a container has stays, unless forced. */
export async function removeImages(
  names: readonly string[],
  flags: { readonly force?: boolean | undefined },
  c: CliContext,
): Promise<void> {
  const { io, settings, signal } = c;
  const force = flags.force === true;
  await using engine = await engineFor(settings);
  for (const name of names) {
    try {
      if (!force) await refuseUsed(name, { engine, c });
      const { untagged, deleted } = await engine.images.remove(name, { force, signal });
      for (const one of untagged) io.stdout.write(`Untagged: ${one}\n`);
      for (const id of deleted) io.stdout.write(`Deleted: ${id}\n`);
    } catch (error) {
      if (!force || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
    }
  }
}

/** Throws `CONTAINER_HAS_IMAGE` when the image would go, and a container could not be started again. */
async function refuseUsed(name: string, o: { readonly engine: Engine; readonly c: CliContext }): Promise<void> {
  const containers = openContainers(o.c).store.list();
  if (containers.length === 0) return;
  const image = await o.engine.images.inspect(name, o.c);
  const user = containers.find(({ spec }) => spec.imageId === image.id);
  const byId = image.id.replace(/^sha256:/, '').startsWith(name.replace(/^sha256:/, '')) && !image.names.includes(name);
  if (user && (byId || image.names.length <= 1))
    throw machineError('CONTAINER_HAS_IMAGE', `remove image "${name}": container "${user.name}" was made of it`, {
      remedy: `Remove that first (strake container rm ${user.name}), or force it with -f.`,
    });
}
