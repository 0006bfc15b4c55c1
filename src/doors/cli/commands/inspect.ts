import { Option } from 'commander';
import { inspectJson } from '../print/image-json.ts';
import { jsonText } from '../print/table.ts';
import { plural, shortSize } from '../print/units.ts';
import { OUTPUTS, type OutputFormat } from '../buildpack/output-option.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand, CliContext } from '../command.ts';
import type { ImageDetails } from '../../../engine/index.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly format: 'json' | 'text';
  readonly output?: OutputFormat;
  readonly bom?: boolean;
}

export const command: CliCommand = {
  about:
    'Shows all that is known of images: configuration, layers, manifest. A name or ID that a container has means that, and shows its state, mounts and ports.',
  examples: [
    ['strake inspect app', 'as JSON, in the shape of "docker image inspect"'],
    ['strake inspect web', 'a container, when one is called so'],
    ['strake inspect --format text app', 'the same for reading'],
    ['strake inspect -o human-readable app', 'what buildpacks made it of, here and in its registry'],
  ],
  define(command, run) {
    registryOptions(command)
      .argument('<name...>', 'names, or IDs (of images their beginning is enough)')
      .addOption(new Option('--format <format>', 'how it is printed').choices(['json', 'text']).default('json'))
      .addOption(
        new Option(
          '-o, --output <format>',
          'of app images that buildpacks built, here and in their registry: run images, buildpacks, processes',
        ).choices([...OUTPUTS]),
      )
      .option('--bom', 'of app images: the bill of materials of their label, as it was before there were SBOM files')
      .action((names: readonly string[], flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          if (flags.bom === true)
            return (await import('../buildpack/inspect-app.ts')).inspectBoms(names, flags.output ?? 'json', c);
          if (flags.output !== undefined)
            return (await import('../buildpack/inspect-app.ts')).inspectApps(names, flags.output, c);
          const { findExact } = await import('../container/find-container.ts');
          const containers = [];
          for (const name of names) containers.push(await findExact(name, c));
          const images: ImageDetails[] = [];
          await using engine = containers.includes(undefined) ? await engineFor(settings) : undefined;
          for (const [at, name] of names.entries())
            if (!containers[at] && engine) images.push(await engine.images.inspect(name, { signal }));
          const { containerJson } = await import('../container/inspect-container.ts');
          const shown = containers.map((record) => record && containerJson(record, c));
          // Those that a container has are shown as that, in their places.
          const left = images.map(inspectJson);
          if (flags.format === 'json') io.stdout.write(jsonText(shown.map((one) => one ?? left.shift())));
          else if (images.length === 0) io.stdout.write(jsonText(shown));
          else io.stdout.write(images.map((image) => textOf(image, io)).join('\n'));
        }),
      );
  },
};

function textOf(image: ImageDetails, io: CliContext['io']): string {
  const { config } = image.config;
  const words = (list: readonly string[] | null | undefined): string | undefined =>
    list && list.length > 0 ? JSON.stringify(list) : undefined;
  const rows: [string, string | undefined][] = [
    ['ID', image.id],
    ['Names', image.names.join(', ') || undefined],
    ['Manifest', image.manifestDigest],
    ['Created', image.config.created],
    ['Platform', [image.config.os, image.config.architecture, image.config.variant].filter(Boolean).join('/')],
    ['Size', `${shortSize(image.size)} in ${plural(image.layers.length, 'layer')}`],
    ['Entrypoint', words(config?.Entrypoint)],
    ['Command', words(config?.Cmd)],
    ['User', config?.User],
    ['Folder', config?.WorkingDir],
    ['Ports', Object.keys(config?.ExposedPorts ?? {}).join(', ') || undefined],
    ['Volumes', Object.keys(config?.Volumes ?? {}).join(', ') || undefined],
    ['Health', words(config?.Healthcheck?.Test)],
    ['Stop signal', config?.StopSignal],
    ...(config?.Env ?? []).map((line): [string, string] => ['Environment', line]),
    ...Object.entries(config?.Labels ?? {}).map(([key, value]): [string, string] => ['Label', `${key}=${value}`]),
    ...image.layers.map((layer): [string, string] => [
      'Layer',
      `${layer.diffId}  ${shortSize(layer.size ?? layer.compressed?.size ?? 0)}`,
    ]),
  ];
  const shown = rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '');
  const width = Math.max(...shown.map(([title]) => title.length));
  let last = '';
  return shown
    .map(([title, value]) => {
      const head = title === last ? '' : title;
      last = title;
      return `${io.outStyle.bold(head.padEnd(width))}  ${value}\n`;
    })
    .join('');
}
