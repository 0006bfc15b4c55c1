import { Option } from 'commander';
import { collectValues } from '../parse/values.ts';
import { groundOption, registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import type { RunFlags } from '../run/flags.ts';
import { EXECUTORS } from '../settings.ts';

export const command: CliCommand = {
  about:
    'Runs an image of the local store as a container, pulling it when it is not there, and passes its exit code on. Ports that the image exposes are reached on 127.0.0.1 unless -p says otherwise. The container and what it wrote are gone afterwards, but for one that has a name (--name) or runs in the background (-d): that one is on record until "strake rm".',
  examples: [
    ['strake run hello', 'serves what it exposes, until Ctrl-C'],
    ['strake run -p 9090:8080 hello', 'on port 9090 of all addresses of this machine'],
    [
      'strake run -d --name web -p 8080:8080 hello',
      'in the background: see "strake ps", "strake logs web", "strake stop web"',
    ],
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
      .option('-d, --detach', 'run it in the background and print its ID')
      .option('--name <name>', 'call it so; it stays on record until it is removed')
      .addOption(
        new Option(
          '--restart <policy>',
          'start it again when it ends: no, on-failure[:N], always, unless-stopped',
        ).default('no'),
      )
      .option('--rm', 'remove it when it has ended (in the foreground without a name always done)')
      .option('-l, --label <name[=value]>', 'a label of the container', collectValues, [])
      .option('--label-file <file>', 'labels, a line each', collectValues, [])
      .option('--cidfile <file>', 'write its ID there')
      .option('-P, --publish-all', 'lead free ports to all it exposes')
      .option('-e, --env <name[=value]>', 'set a variable; without value that of this shell', collectValues, [])
      .option('--env-file <file>', 'set variables, a line each', collectValues, [])
      .option(
        '-v, --volume <source:target[:ro]>',
        'show it a folder or file of this machine, or a named volume',
        collectValues,
        [],
      )
      .option('--mount <spec>', 'type=bind|volume|tmpfs,source=…,target=…[,readonly]', collectValues, [])
      .option('--tmpfs <target[:options]>', 'an empty folder in memory, options as size=64m', collectValues, [])
      .option('-w, --workdir <folder>', 'where it starts')
      .option('-u, --user <user[:group]>', 'names as the image has them, or numbers')
      .option('--entrypoint <program>', 'in place of its ENTRYPOINT; clears its CMD')
      .option('--hostname <name>', 'its host name (default: its ID)')
      .option('--add-host <host=address>', 'a line of its /etc/hosts', collectValues, [])
      .addOption(new Option('--network <mode>', 'its network: default, host or none').default('default'))
      .option('-i, --interactive', 'give it standard input')
      .option('-t, --tty', 'give it a terminal')
      .option('-m, --memory <size>', 'the most memory that it may have, as 512m')
      .option('--memory-swap <size>', 'the most memory and swap together; -1 is without end')
      .option('--cpus <count>', 'the most processors that it may use, as 1.5')
      .option('-c, --cpu-shares <count>', 'its weight beside others when processors are short (default: 1024)')
      .option('--cpuset-cpus <list>', 'the processors that it may use, as 0-2,7')
      .option('--pids-limit <count>', 'the most processes and threads; -1 is without end')
      .option('--ulimit <name=soft[:hard]>', 'a limit of each of its processes, as nofile=1024', collectValues, [])
      .option('--shm-size <size>', 'of its /dev/shm (default: 64m)')
      .option('--cap-add <capability>', 'one more than containers have, or ALL', collectValues, [])
      .option('--cap-drop <capability>', 'one less, or ALL', collectValues, [])
      .option(
        '--security-opt <option>',
        'no-new-privileges, seccomp=unconfined or systempaths=unconfined',
        collectValues,
        [],
      )
      .option('--privileged', 'all that strake itself may do: no boundary')
      .option('--read-only', 'let it write to its volumes only')
      .addOption(
        new Option('--pull <when>', 'when its registry is asked')
          .choices(['missing', 'always', 'never'])
          .default('missing'),
      )
      .option('--platform <platform>', 'as linux/arm64 (default: of this machine)')
      .option('--no-healthcheck', 'do not run its health check')
      .option('--health-cmd <command>', 'check its health by this, in a shell')
      .option('--health-interval <span>', 'between two checks (default: 30s)')
      .option('--health-timeout <span>', 'how long one may take (default: 30s)')
      .option('--health-retries <count>', 'failures in a row that make it unhealthy (default: 3)')
      .option('--health-start-period <span>', 'failures do not count so long (default: 0s)')
      .option('--health-start-interval <span>', 'between two checks in that time (default: 5s)')
      .option('--stop-signal <signal>', "what asks it to end (default: the image's, else SIGTERM)")
      .option('--stop-timeout <seconds>', 'how long a stop waits before it kills (default: 10)')
      .option('--log-opt <name=value>', 'bounds of its log: max-size (16m), max-file (8)', collectValues, [])
      .addOption(new Option('--executor <name>', 'run with this').choices(EXECUTORS))
      .addOption(groundOption('where it runs'))
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
