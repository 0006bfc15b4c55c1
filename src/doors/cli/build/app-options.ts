import { Option, type Command } from 'commander';
import { PULL_POLICIES } from '../buildpack/flags.ts';
import { collectValues as list } from '../parse/values.ts';

/** Flags of all that reads an application as buildpacks do. */
export function detectOptions(command: Command): Command {
  return command
    .option('-B, --builder <image>', 'the builder, instead of the one that strake comes with')
    .option(
      '-b, --buildpack <place>',
      'a buildpack: id[@version] of the builder, a folder, an archive or .cnb file, an image, an address, urn:cnb:registry:…',
      list,
      [],
    )
    .option('--pre-buildpack <place>', 'a buildpack before those of each group', list, [])
    .option('--post-buildpack <place>', 'a buildpack after them', list, [])
    .option('--disable-system-buildpacks', "leave out those that the builder's system.toml puts around each group")
    .option('--extension <place>', 'an image extension', list, [])
    .option('-r, --buildpack-registry <name>', 'where buildpacks are looked up by their name')
    .option('-e, --env <name=value>', 'a variable for buildpacks; a name alone takes its value from here', list, [])
    .option('--env-file <file>', 'variables for buildpacks, one a line', list, [])
    .option('--exec-env <name>', 'what the image is for: production, test, …')
    .option('--run-image <image>', 'what the image stands on, instead of what the builder names')
    .addOption(
      new Option(
        '--pull-policy <policy>',
        'when builder, run image and buildpacks are fetched that are in the local store (default: what "strake config pull-policy" says, else if-not-present)',
      ).choices([...PULL_POLICIES]),
    )
    .option('--volume <folder:target[:ro]>', 'show buildpacks a folder of this machine, to read', list, [])
    .option('--workspace <folder>', 'where the application lies in the image')
    .option('-d, --descriptor <file>', 'the project descriptor, instead of project.toml')
    .option('--binding <folder>', 'a service binding for the build', list, []);
}

/** Flags of what makes an image of an application, too. */
export function appOptions(command: Command): Command {
  return detectOptions(command)
    .addOption(buildCacheOption())
    .option('--by-buildpacks', 'also where there is a Dockerfile')
    .option('-D, --default-process <type>', 'what the image runs by default')
    .option('--previous-image <image>', 'the image before, if it goes by another name')
    .option('--cache-image <image>', "keep the buildpacks' cache in a registry")
    .option('--cache-volume <name>', "name the buildpacks' cache in the local store, for builds that share one")
    .option('--clear-cache', 'begin without what buildpacks have kept')
    .option('--step-cache <when>', 'take whole runs of buildpacks from the cache: auto, on or off')
    .option('--creation-time <seconds>', 'when the image says it was made, since 1970, or "now"')
    .option('--sbom-output-dir <folder>', "also write the image's SBOM files there")
    .option('--report-output-dir <folder>', 'write report.toml there: what the image is called, and its digest');
}

/** It has a name of its own among the values: `cache` is what --no-cache says. */
function buildCacheOption(): Option {
  const option = new Option(
    '--cache <definition>',
    "where the buildpacks' cache is: type=build;format=bind;source=FOLDER, or format=image or volume with name=NAME",
  ).argParser((value: string, before?: readonly string[]) => list(value, before ?? []));
  option.attributeName = () => 'buildCache';
  return option;
}
