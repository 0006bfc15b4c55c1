import { Option } from 'commander';
import { collectValues as list } from '../parse/values.ts';
import { tlsOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import type { TlsFiles } from '../remote/endpoint.ts';
import type * as nodes from '../remote/node-list.ts';

interface AddFlags {
  readonly platform: readonly string[];
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly force?: boolean;
  readonly ask: boolean;
}

export const command: CliCommand = {
  about:
    'Gives daemons that speak BuildKit\'s API names, to build on them with --on NAME. Instances of "docker buildx" have names already.',
  examples: [
    ['strake node add arm buildkit+tcp://10.0.0.7:1234 --tls-ca ca.pem', 'a machine of another architecture'],
    ['strake node add here docker://', 'the BuildKit of the Docker daemon of this machine'],
    ['strake build . --on here,arm --platform linux/amd64,linux/arm64 -t registry.example/app --push', 'on both'],
    ['strake node ls', 'all of them, with what they build for'],
  ],
  define(command, run) {
    const load = (): Promise<typeof nodes> => import('../remote/node-list.ts');
    const add = command
      .command('add')
      .summary('name a daemon')
      .description('Gives a daemon a name, once it has said what it builds for.')
      .argument('<name>', 'its name')
      .argument('<address>', 'buildkit+unix:///PATH, buildkit+tcp://HOST:PORT, docker+unix:///PATH or docker://')
      .option('--platform <platform>', 'build only for these on it, as linux/arm64', list, []);
    tlsOptions(add)
      .option('--force', 'in place of one of that name')
      .option('--no-ask', 'also one that does not answer now');
    add.action((name: string, address: string, flags: AddFlags) =>
      run(add, async (c) =>
        (await load()).addNode(name, address, {
          c,
          platforms: flags.platform,
          tls: tlsOf(flags),
          force: flags.force ?? false,
          unasked: !flags.ask,
        }),
      ),
    );
    const ls = command
      .command('ls')
      .alias('list')
      .summary('list them')
      .description('Lists named daemons and the instances of "docker buildx", with what they say of themselves.')
      .addOption(
        new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'),
      );
    ls.action((flags: { readonly format: 'table' | 'json' }) =>
      run(ls, async (c) => (await load()).listNodes(c, flags)),
    );
    const rm = command
      .command('rm')
      .alias('remove')
      .summary('forget them')
      .description('Forgets names. The daemons go on.')
      .argument('<name...>', 'their names');
    rm.action((names: string[]) => run(rm, async (c) => (await load()).removeNodes(names, c)));
    const inspect = tlsOptions(command.command('inspect'))
      .summary('what one says of itself')
      .description('Prints what a daemon says of itself, as JSON.')
      .argument('<name>', 'a name or an address');
    inspect.action((name: string) => run(inspect, async (c) => (await load()).inspectNode(name, c)));
  },
};

function tlsOf({ tlsCa: ca, tlsCert: cert, tlsKey: key, tlsServerName: serverName }: AddFlags): TlsFiles | undefined {
  return [ca, cert, key, serverName].every((one) => one === undefined) ? undefined : { ca, cert, key, serverName };
}
