import { imageName } from '../parse/output.ts';
import type { CliCommand } from '../command.ts';
import { engineFor } from '../settings.ts';

export const command: CliCommand = {
  about: 'Gives an image of the local store further names.',
  examples: [['strake tag app registry.example/team/app:1.2', 'so that "strake push" knows where it goes']],
  define(command, run) {
    command
      .argument('<image>', 'a name or ID')
      .argument('<name...>', 'the names it gets')
      .action((image: string, names: readonly string[]) =>
        run(command, async ({ settings, signal }) => {
          for (const name of names) imageName(name);
          await using engine = await engineFor(settings);
          for (const name of names) await engine.images.tag(image, name, { signal });
        }),
      );
  },
};
