import { Option } from 'commander';
import { collectValues } from '../parse/values.ts';
import { registryOptions, type CliCommand } from '../program.ts';
import type { RunFlags } from '../run/flags.ts';
import { EXECUTORS } from '../settings.ts';

export const command: CliCommand = {
  about:
    'Runs an image of the local store as a container, pulling it when it is not there, and passes its exit code on. Ports that the image exposes are reached on 127.0.0.1 unless -p says otherwise. The container and what it wrote are gone afterwards.',
  examples: [
    ['strake run hello', 'serves what it exposes, until Ctrl-C'],
    ['strake run -p 9090:8080 hello', 'on port 9090 of all addresses of this machine'],
    ['strake run -it packages.local/debian:bookworm bash', 'a shell on a terminal, in a base made on the spot'],
    ['strake run -v ./src:/src:ro -w /src gcc make', 'with a folder of this machine'],
    ['echo 6*7 | strake run -i alpine bc', 'with input'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('<image>', 'name or ID')
      .argument('[command...]', 'what runs in place of its CMD')
      .passThroughOptions()
      .option(
        '-p, --publish <spec>',
        '[address:][port:]port[/udp]: lead a port of this machine to it',
        collectValues,
        [],
      )
      .option('-P, --publish-all', 'lead free ports to all it exposes')
      .option('-e, --env <name[=value]>', 'set a variable; without value that of this shell', collectValues, [])
      .option('--env-file <file>', 'set variables, a line each', collectValues, [])
      .option('-v, --volume <source:target[:ro]>', 'show it a folder or file of this machine', collectValues, [])
      .option('--tmpfs <target[:options]>', 'an empty folder in memory, options as size=64m', collectValues, [])
      .option('-w, --workdir <folder>', 'where it starts')
      .option('-u, --user <user[:group]>', 'names as the image has them, or numbers')
      .option('--entrypoint <program>', 'in place of its ENTRYPOINT; clears its CMD')
      .option('--hostname <name>', 'its host name (default: its ID)')
      .option('--add-host <host=address>', 'a line of its /etc/hosts', collectValues, [])
      .addOption(new Option('--network <mode>', 'its network').choices(['default', 'host', 'none']).default('default'))
      .option('-i, --interactive', 'give it standard input')
      .option('-t, --tty', 'give it a terminal')
      .option('--read-only', 'let it write to its volumes only')
      .addOption(
        new Option('--pull <when>', 'when its registry is asked')
          .choices(['missing', 'always', 'never'])
          .default('missing'),
      )
      .option('--platform <platform>', 'as linux/arm64 (default: of this machine)')
      .option('--no-healthcheck', 'do not run its health check')
      .option('--stop-timeout <seconds>', 'how long a stop waits before it kills (default: 10)')
      .addOption(new Option('--rm', 'remove it afterwards, which is always done').hideHelp())
      .addOption(new Option('--executor <name>', 'run with this').choices(EXECUTORS))
      .option('-q, --quiet', 'say nothing besides what it says')
      .option('--verbose', 'say what it runs on, and how its health is')
      .action((image: string, args: readonly string[], flags: RunFlags) =>
        run(command, async (c) => {
          const { runImage } = await import('../run/run-image.ts');
          return runImage(image, args, { flags, c });
        }),
      );
  },
};
