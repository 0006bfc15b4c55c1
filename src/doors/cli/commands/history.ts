import { Option } from 'commander';
import { jsonText, tableText } from '../print/table.ts';
import { ageText, shortSize } from '../print/units.ts';
import { visibleText } from '../progress/text.ts';
import type { CliCommand } from '../command.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly trunc: boolean;
  readonly format: 'table' | 'json';
}

export const command: CliCommand = {
  about: 'Shows how an image was made, the last step first, and what each added.',
  examples: [
    ['strake history app', 'the latest step first, with sizes'],
    ['strake history --no-trunc app', 'with every instruction in full'],
  ],
  define(command, run) {
    command
      .argument('<image>', 'a name or ID')
      .option('--no-trunc', 'print instructions in full')
      .addOption(new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'))
      .action((name: string, flags: Flags) =>
        run(command, async ({ settings, io, signal }) => {
          await using engine = await engineFor(settings);
          const { config, layers } = await engine.images.inspect(name, { signal });
          let next = 0;
          const steps = (config.history ?? []).map((entry) => {
            const layer = entry.empty_layer ? undefined : layers[next++];
            return {
              createdBy: entry.created_by ?? '',
              created: entry.created,
              size: layer?.size ?? layer?.compressed?.size ?? 0,
              diffId: layer?.diffId,
              comment: entry.comment,
            };
          });
          // Layers that the history does not speak of.
          for (const layer of layers.slice(next))
            steps.push({
              createdBy: '',
              created: undefined,
              size: layer.size ?? 0,
              diffId: layer.diffId,
              comment: undefined,
            });
          steps.reverse();
          if (flags.format === 'json') {
            io.stdout.write(jsonText(steps));
            return;
          }
          const now = io.clock.now();
          const rows = steps.map((step) => {
            const at = step.created === undefined ? Number.NaN : Date.parse(step.created);
            const by = visibleText(step.createdBy.replaceAll('\n', ' '));
            return [
              ageText(Number.isNaN(at) ? undefined : at, now),
              flags.trunc ? shortened(by) : by,
              step.diffId === undefined ? '0B' : shortSize(step.size),
              step.comment ?? '',
            ];
          });
          io.stdout.write(
            tableText(
              [
                { title: 'CREATED' },
                { title: 'CREATED BY', shrink: flags.trunc },
                { title: 'SIZE', right: true },
                { title: 'COMMENT' },
              ],
              rows,
              {
                style: io.outStyle,
                columns: io.stdout.isTerminal ? io.stdout.size().columns : undefined,
              },
            ),
          );
        }),
      );
  },
};

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
