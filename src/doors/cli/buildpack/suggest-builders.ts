import type { CliContext } from '../command.ts';
import { engineFor } from '../settings.ts';
import { tableText } from '../print/table.ts';
import { KNOWN_BUILDERS } from './trusted-builders.ts';

/** `strake builder suggest`: builders of the local store, then those that are well known. */
export async function suggestBuilders({ io, settings, signal }: CliContext): Promise<void> {
  await using engine = await engineFor(settings);
  const own: string[][] = [];
  for (const { names, id } of await engine.images.list({ signal })) {
    const [name] = names;
    if (name === undefined) continue;
    const { config } = await engine.images.inspect(id, { signal });
    if (config.config?.Labels?.['io.buildpacks.builder.metadata'] === undefined) continue;
    own.push(['here', name, 'in the local store']);
  }
  const known = KNOWN_BUILDERS.filter(({ suggested }) => suggested).map(({ vendor, image, about }) => [
    vendor,
    image,
    about,
  ]);
  io.stdout.write(
    tableText([{ title: 'FROM' }, { title: 'BUILDER' }, { title: 'WHAT IT IS' }], [...own, ...known], {
      style: io.outStyle,
    }),
  );
  io.stderr.write('See what is in one with "strake builder inspect BUILDER".\n');
}
