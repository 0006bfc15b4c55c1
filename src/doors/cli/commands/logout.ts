import type { CliCommand } from '../command.ts';
import { credentialsFor } from '../settings.ts';

export const command: CliCommand = {
  about: 'Forgets the login of a registry.',
  examples: [['strake logout registry.example', 'its login is forgotten']],
  define(command, run) {
    command.argument('[registry]', 'its host and port', 'docker.io').action((registry: string) =>
      run(command, async ({ io, signal }) => {
        const known = await (await credentialsFor(io)).logout(registry, { signal });
        io.stderr.write(known ? `Logged out of ${registry}.\n` : `There was no login for ${registry}.\n`);
      }),
    );
  },
};
