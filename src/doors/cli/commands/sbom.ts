import type { SbomFlags } from '../buildpack/download-sbom.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about: 'What an app image that buildpacks built is made of, as bills of materials.',
  examples: [
    ['strake sbom download app', 'the files below layers/sbom/launch of this folder'],
    [
      'strake sbom download --remote -o sbom registry.example/team/app:1',
      'of an image in its registry: one layer is read',
    ],
  ],
  define(command, run) {
    const download = registryOptions(command.command('download'))
      .summary('write the SBOM files of an app image')
      .description(
        'Writes the SBOM files that buildpacks left (CycloneDX, SPDX, Syft) under their paths in the image, layers/sbom/launch/…, and prints where they are. No other layer is read.',
      )
      .argument('<image>', 'a name or ID in the local store')
      .option('--remote', 'of the image in its registry, not of the local store')
      .option('-o, --output-dir <folder>', 'write below this folder', '.');
    download.action((name: string, flags: SbomFlags) =>
      run(download, async (c) => (await import('../buildpack/download-sbom.ts')).downloadSbom(name, flags, c)),
    );
  },
};
