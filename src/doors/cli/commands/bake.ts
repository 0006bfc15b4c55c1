import { Option } from 'commander';
import type { BakeFlags } from '../bake/flags.ts';
import { collectValues as list } from '../parse/values.ts';
import { groundOption, registryOptions, remoteOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { EXECUTORS } from '../settings.ts';

const GROUPS = {
  what: 'What is built:',
  ask: 'Instead of building:',
  how: 'How it is built:',
  result: 'What comes of it:',
};

export const command: CliCommand = {
  about:
    "Builds the targets of buildx's bake files (HCL, JSON) and of compose files, all at the same time; work that they share is done once. See docs/bake.md.",
  examples: [
    ['strake bake', 'the target or group "default" of the files in this folder'],
    ['strake bake web db', 'two targets'],
    ['strake bake -f docker-bake.hcl -f local.hcl --print', 'what two files come to, as JSON'],
    ['strake bake --set "*.platform=linux/arm64" --push', 'all for another platform, to their registries'],
    ['strake bake --var TAG=1.2 release', 'with another value of a variable'],
    ['strake bake https://git.example/app.git#v1.2 web', 'the files of a repository, built there'],
    ['strake bake --list targets', 'what there is to build'],
    ['strake bake --check', 'what could be better in the Dockerfiles'],
  ],
  define(command, run) {
    command
      .argument(
        '[target...]',
        'targets, groups or patterns; the one named "default" without any. A repository first: its files',
      )
      .optionsGroup(GROUPS.what)
      .option(
        '-f, --file <path>',
        'a bake or compose file ("-": standard input); later ones go over earlier ones',
        list,
        [],
      )
      .option('--set <target.key=value>', 'another value for targets of a name or pattern; key+=value adds', list, [])
      .option('--var <name=value>', 'another value for a variable', list, [])
      .optionsGroup(GROUPS.ask)
      .option('--print', 'print what would be built, as JSON')
      .option('--list <what>', 'list targets or variables; type=…,format=json for JSON')
      .option('--call <method>', 'answer a question about each Dockerfile: check, outline or targets[,format=json]')
      .option('--check', 'the same as --call check')
      .optionsGroup(GROUPS.how)
      .option('--no-cache', 'run every step anew')
      .option('--pull', 'ask registries for newer bases, also where one is in the store')
      .option(
        '--allow <entitlement>',
        'grant network.host, security.insecure, ssh, or paths outside of this folder: fs=PATH, fs.read=PATH, fs.write=PATH',
        list,
        [],
      )
      .addOption(new Option('--executor <name>', 'what runs RUN lines; the best by default').choices(EXECUTORS))
      .addOption(groundOption('where RUN lines run'));
    remoteOptions(registryOptions(command))
      .option('--mirror <url>', 'where packages of bases come from, instead of where apt takes them from')
      .option('--keyring <file>', 'the keys that sign them')
      .optionsGroup(GROUPS.result)
      .option('--push', 'also push all to their registries')
      .option('--load', 'also load all into a running Docker or Podman')
      .option('--provenance <value>', 'the same as --set "*.attest=type=provenance,…"')
      .option('--sbom <value>', 'the same as --set "*.attest=type=sbom,…"')
      .option('--metadata-file <file>', 'write what is known of each result to a file, as JSON by target')
      .option('-q, --quiet', 'print the image IDs only')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES));
    command.action((words: readonly string[], flags: BakeFlags) =>
      run(command, async (c) => {
        const { runBake } = await import('../bake/run-bake.ts');
        return runBake(words, flags, c);
      }),
    );
  },
};
