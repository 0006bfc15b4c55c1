import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'Says where the ports of a container are reached on this machine.',
  examples: [
    ['strake port web', 'all of them'],
    ['strake port web 8080', 'prints for example 0.0.0.0:32768'],
  ],
  define(command, run) {
    command
      .argument('<container>', 'name or ID')
      .argument('[port[/protocol]]', 'of the container')
      .action((name: string, port: string | undefined) =>
        run(command, async (c) => (await import('../container/port.ts')).showPorts(name, port, c)),
      );
  },
};
