import { basename, dirname, join, resolve } from 'node:path';
import { systemClock, systemRandom } from '../../../base/index.ts';
import type { BuildRequest, ExportRequest, ImageMetadata } from '../../../engine/index.ts';
import { folderSource, StatCache } from '../../../tree/index.ts';
import { localHost } from '../local-host.ts';
import { plainProgress } from '../progress/plain.ts';
import type { CliCommand } from '../run-cli.ts';
import { credentialsFor, engineFor } from '../settings.ts';

interface BuildOptions {
  file?: string;
  tag: string[];
  target?: string;
  buildArg: string[];
  cache: boolean;
  output: string[];
  allow: string[];
}

const list = (value: string, before: string[]): string[] => [...before, value];

export const command: CliCommand = {
  define(command, run) {
    command
      .argument('[context]', 'folder', '.')
      .option('-f, --file <path>', 'the Dockerfile')
      .option('-t, --tag <name>', 'name the image', list, [])
      .option('--target <stage>', 'stop at this stage')
      .option('--build-arg <name=value>', 'set an ARG', list, [])
      .option('--no-cache', 'run every step anew')
      .option('-o, --output <spec>', 'where the result goes', list, [])
      .option('--allow <entitlement>', 'grant network.host or security.insecure', list, [])
      .action(async (context: string, options: BuildOptions) =>
        run(async ({ settings, signal }) => {
          const folder = resolve(settings.cwd, context);
          const file = options.file === undefined ? join(folder, 'Dockerfile') : resolve(settings.cwd, options.file);
          const request: BuildRequest & ImageMetadata = {
            frontend: 'dockerfile',
            options: {
              filename: basename(file),
              ...(options.target === undefined ? {} : { target: options.target }),
              ...(options.cache ? {} : { 'no-cache': '' }),
              ...Object.fromEntries(
                options.buildArg.map((arg) => [`build-arg:${arg.split('=')[0]}`, arg.slice(arg.indexOf('=') + 1)]),
              ),
            },
            platforms: [],
            exports:
              options.output.length > 0 ? options.output.map(parseOutput) : [{ type: 'store', names: options.tag }],
            allow: options.allow,
            annotations: [],
          };
          const cache = new StatCache(join(settings.root, 'context'), { random: systemRandom, clock: systemClock });
          const host = localHost({
            files: new Map([
              ['context', folderSource(folder, { cache, owner: { uid: 0, gid: 0 } })],
              ['dockerfile', folderSource(dirname(file))],
            ]),
            secrets: new Map(),
            sinks: new Map(
              options.output.map((output, at) => [String(at), { kind: 'file', path: parseOutputPath(output) }]),
            ),
            credentials: credentialsFor(settings, (message) => process.stderr.write(`${message}\n`)).lookup,
            env: settings.env,
            random: systemRandom,
          });
          await using engine = await engineFor(settings);
          const show = plainProgress((text) => process.stderr.write(text));
          for await (const event of engine.build(request, host, { signal })) {
            show(event);
            if (event.kind === 'result') process.stdout.write(`${event.result.images[0]?.imageId ?? ''}\n`);
          }
        }),
      );
  },
};

function parseOutput(text: string, at = 0): ExportRequest {
  const fields = Object.fromEntries(text.split(',').map((field) => field.split('=') as [string, string]));
  if (fields['type'] === 'tar') return { type: 'tar', sink: String(at) };
  return { type: fields['type'] === 'docker' ? 'docker' : 'oci', sink: String(at), tar: true, names: [] };
}

function parseOutputPath(text: string): string {
  return /dest=([^,]*)/.exec(text)?.[1] ?? '-';
}
