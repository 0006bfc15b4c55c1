import { usage } from '../errors.ts';
import type { CliCommand } from '../command.ts';
import { registryOptions } from '../shared-options.ts';
import { credentialsFor } from '../settings.ts';

interface Flags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

export const command: CliCommand = {
  about:
    'Checks a name and password with a registry and keeps them where Docker would: in a credential helper, else in config.json.',
  examples: [
    ['strake login registry.example -u ana', 'asks for the password'],
    ['strake login registry.example -u ci --password-stdin < token', 'in a script'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('[registry]', 'its host and port', 'docker.io')
      .option('-u, --username <name>', 'who logs in; asked for otherwise')
      .option('--password-stdin', 'read the password from standard input')
      .action((registry: string, flags: Flags) =>
        run(command, async ({ settings, io, signal }) => {
          if (/[/@]/.test(registry.replace(/^https?:\/\//, '').replace(/\/$/, '')))
            throw usage(
              `log in to "${registry}": that is not a registry`,
              'Give its host and port alone, as registry.example:5000.',
            );
          const server = registry.replace(/^https?:\/\//, '').replace(/\/$/, '');
          const { askLine, askSecret, readAll } = await import('../prompt.ts');
          if (flags.passwordStdin && flags.username === undefined)
            throw usage('log in: --password-stdin needs --username', 'Say who logs in with -u NAME.');
          const username = flags.username ?? (await askLine(io, { question: `User name for ${server}: `, signal }));
          const secret = flags.passwordStdin
            ? (await readAll(io, { signal })).replace(/\r?\n$/, '')
            : await askSecret(io, { question: `Password for ${username}: `, signal });
          if (username === '' || secret === '') throw usage(`log in to "${server}": name or password is empty`);
          const { RegistryClient } = await import('../../../registry/index.ts');
          const credential = { username, secret, kind: 'password' as const };
          await using client = new RegistryClient({
            clock: io.clock,
            random: io.random,
            insecure: settings.insecure,
            credentials: async () => credential,
          });
          await client.checkLogin(server, { credential, signal });
          const place = await (await credentialsFor(io)).login(server, { credential, signal });
          io.stderr.write(`Logged in to ${server} as ${username}.\n`);
          io.stderr.write(
            place.kind === 'helper'
              ? `The password is kept by the credential helper "${place.name}".\n`
              : `The password is kept, readable, in ${place.path}; a credential helper keeps it better ("credsStore" in that file).\n`,
          );
        }),
      );
  },
};
