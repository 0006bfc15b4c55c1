import { Option } from 'commander';
import type { BuildFlags } from '../build/flags.ts';
import { callOf } from '../check/call.ts';
import { appOptions } from '../build/app-options.ts';
import { collectValues as list } from '../parse/values.ts';
import { groundOption, registryOptions, remoteOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';
import { EXECUTORS } from '../settings.ts';

const GROUPS = {
  what: 'What is built:',
  how: 'How it is built:',
  offer: 'What it may use:',
  result: 'What comes of it:',
  base: 'Bases from packages:',
  app: 'By buildpacks, where there is no Dockerfile:',
};

export const command: CliCommand = {
  about:
    'Builds the image that a Dockerfile describes, or, by buildpacks, that of an application without one, into the local store unless an output says otherwise. Steps that were done before are not done again.',
  examples: [
    ['strake build . -t app', 'the Dockerfile of this folder, into the local store'],
    ['strake build -f deploy/Dockerfile --target test .', 'another Dockerfile, up to one of its stages'],
    ['strake build . -t registry.example/app:1.2 --push', 'and to a registry'],
    ['strake build . -o type=oci,dest=app.tar', 'as an archive that other tools read'],
    ['strake build . -o ./out', 'only its files, as a folder'],
    ['strake build https://git.example/app.git#v1.2:docker', 'the folder "docker" of a repository, at a tag'],
    ['strake build . -t app --report build.html', 'with a page to read about it'],
    ['strake build --call outline .', 'the arguments, secrets and agents that it takes'],
    ['SOURCE_DATE_EPOCH=0 strake build . -q', 'the same sources give the same ID, anywhere'],
  ],
  define(command, run) {
    command
      .argument(
        '[context]',
        'a folder, the URL of a git repository or tarball, or "-" for a Dockerfile or tar on standard input',
        '.',
      )
      .optionsGroup(GROUPS.what)
      .option('-f, --file <path>', 'the Dockerfile ("-": standard input)')
      .option('--target <stage>', 'stop at this stage')
      .option('--build-arg <name=value>', 'set an ARG; a name alone takes its value from the environment', list, [])
      .option(
        '--build-context <name=place>',
        'what FROM or COPY --from means by a name: a folder, a URL, docker-image://…',
        list,
        [],
      )
      .option('--platform <platform>', 'what it is built for, as linux/arm64', list, [])
      .option('--label <name=value>', 'add a label to the image', list, [])
      .option('--annotation <[level:]name=value>', 'add an annotation to the manifest, or at another level', list, [])
      .optionsGroup(GROUPS.how)
      .option('--no-cache', 'run every step anew')
      .option('--no-cache-filter <stages>', 'run the steps of these stages anew', list, [])
      .option('--cache-from <cache>', 'look steps up there, too; see "strake help caches"', list, [])
      .option('--cache-to <cache>', 'keep the results of the steps there, for builds elsewhere', list, [])
      .option('--pull', 'ask registries and mirrors for newer bases, also where one is in the store')
      .addOption(
        new Option(
          '--on-error <what>',
          'what a RUN line or buildpack that fails leads to: the end, or a shell in its root',
        )
          .choices(['fail', 'shell'])
          .default('fail'),
      )
      .option('--network <mode>', 'what RUN lines reach: default, none or host', 'default')
      .option('--add-host <host=address>', 'add a line to /etc/hosts of RUN lines', list, [])
      .option('--shm-size <size>', 'of /dev/shm in RUN lines, as 128m')
      .option('--ulimit <name=soft[:hard]>', 'a limit for RUN lines', list, [])
      .option('-m, --memory <size>', 'most memory that a RUN line may use, as 2g')
      .option('--memory-swap <size>', 'most memory and swap together; -1: without a limit')
      .option('--cpu-shares <number>', 'weight of RUN lines against others')
      .option('--cpu-period <microseconds>', 'the period that --cpu-quota is about')
      .option('--cpu-quota <microseconds>', 'CPU time of a RUN line in each period')
      .option('--cpuset-cpus <list>', 'CPUs that RUN lines may use, as 0-2,7')
      .option('--cpuset-mems <list>', 'memory nodes that RUN lines may use')
      .addOption(new Option('--executor <name>', 'what runs RUN lines; the best by default').choices(EXECUTORS))
      .addOption(groundOption('where RUN lines run'));
    remoteOptions(command)
      .optionsGroup(GROUPS.offer)
      .option('--secret <id=name,src=file>', 'a secret for RUN --mount=type=secret; or env=VARIABLE', list, [])
      .option('--ssh <id[=socket|keys]>', 'an ssh agent, or one made of key files, for RUN --mount=type=ssh', list, [])
      .option('--allow <entitlement>', 'grant network.host or security.insecure', list, [])
      .option('--source-policy <file>', "what sources may be: a policy of BuildKit's in JSON");
    registryOptions(command)
      .optionsGroup(GROUPS.base)
      .option('--mirror <url>', 'where packages come from, instead of where apt takes them from')
      .option('--keyring <file>', 'the keys that sign them')
      .optionsGroup(GROUPS.app);
    appOptions(command)
      .optionsGroup(GROUPS.result)
      .option('-t, --tag <name>', 'name the image', list, [])
      .option('-o, --output <spec>', 'where it goes; see "strake help outputs"', list, [])
      .option('--push', 'also push it to the registry that its name says')
      .option('--load', 'also load it into a running Docker or Podman')
      .option('--provenance <value>', 'say how it was made: true, or attributes; see "strake help attestations"')
      .option('--sbom <value>', 'say what it holds: true')
      .option('--attest <type=name>', 'the same: type=provenance,mode=max or type=sbom', list, [])
      .option('--call <method>', 'answer a question in place of a build: check, outline or targets[,format=json]')
      .option('--check', 'the same as --call check')
      .option('--iidfile <file>', 'write the image ID to a file')
      .option('--metadata-file <file>', 'write what is known of the result to a file, as JSON')
      .option('--report <file>', 'write a page about the build, as HTML, however it ends')
      .option('--otlp <endpoint>', 'send a trace of the build to an OpenTelemetry collector, by OTLP/HTTP')
      .option('--trace-dir <folder>', 'write the trace to files, by phases and buildpacks, as OTLP JSON lines')
      .option('-q, --quiet', 'print the image ID only')
      .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES));
    command.action((place: string, flags: BuildFlags) =>
      run(command, async (c) => {
        const call = callOf(flags);
        if (call) {
          const { runCall } = await import('../check/run-call.ts');
          return runCall(place, flags, { call, c });
        }
        const { runBuild } = await import('../build/run-build.ts');
        await runBuild(place, flags, c);
        return 0;
      }),
    );
  },
};
