import { Option, type Command } from 'commander';
import { collectValues } from '../parse/values.ts';
import { PROGRESS_MODES } from '../progress/create-renderer.ts';

export const PULL_POLICIES = ['always', 'never', 'if-not-present'] as const;

/** Flags of all that makes images of buildpacks. */
export interface MakeFlags {
  readonly config?: string;
  readonly publish?: boolean;
  readonly appendImageNameSuffix?: boolean;
  readonly pullPolicy?: string;
  readonly label: readonly string[];
  readonly target: readonly string[];
  readonly tag: readonly string[];
  readonly buildpackRegistry?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
}

export function makeOptions(command: Command, o: { readonly what: string; readonly file: string }): Command {
  return command
    .option('-c, --config <file>', `${o.file}, which says what is in it`)
    .option('--publish', 'write it to the registry that its name says, not to the local store')
    .option('--append-image-name-suffix', 'with several targets: also give each its own name, with -OS-ARCH at its end')
    .addOption(
      new Option('--pull-policy <policy>', 'when images are fetched that are in the local store').choices([
        ...PULL_POLICIES,
      ]),
    )
    .option('-l, --label <key=value>', 'a label of the image', collectValues, [])
    .option(
      '-t, --target <target>',
      `what the ${o.what} is for: os[/arch][/variant][:distro@version]`,
      collectValues,
      [],
    )
    .option('--tag <name>', 'one more name to write it to', collectValues, [])
    .option('-r, --buildpack-registry <name>', 'where buildpacks are looked up by their name')
    .option('-q, --quiet', 'show no progress')
    .addOption(new Option('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES));
}
