import type { CliCommand } from '../program.ts';
import { hasCode } from '../../../base/index.ts';
import { engineFor } from '../settings.ts';

export const command: CliCommand = {
  about:
    'Takes names away; an image goes with its last name, or when its ID is given. What it shares with others stays.',
  examples: [
    ['strake rm app:old', 'the name; the image too, if it was its last one'],
    ['strake rm -f $(strake images -q)', 'every image'],
  ],
  define(command, run) {
    command
      .argument('<image...>', 'names or IDs')
      .option('-f, --force', 'an image that is not there is no error')
      .action((names: readonly string[], flags: { force?: boolean }) =>
        run(command, async ({ settings, io, signal }) => {
          await using engine = await engineFor(settings);
          for (const name of names) {
            try {
              const { untagged, deleted } = await engine.images.remove(name, { force: flags.force ?? false, signal });
              for (const one of untagged) io.stdout.write(`Untagged: ${one}\n`);
              for (const id of deleted) io.stdout.write(`Deleted: ${id}\n`);
            } catch (error) {
              if (!flags.force || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
            }
          }
        }),
      );
  },
};
