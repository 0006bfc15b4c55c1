import { Option } from 'commander';
import { jsonText } from '../print/table.ts';
import type { CliCommand } from '../command.ts';
import { ownVersion, versionLine } from '../version.ts';

export const command: CliCommand = {
  about: 'Shows the version.',
  examples: [['strake version --format json', 'with the version of Node that it runs on']],
  define(command, run) {
    command
      .addOption(new Option('--format <format>', 'how it is printed').choices(['text', 'json']).default('text'))
      .action((flags: { format: string }) =>
        run(command, async ({ io }) => {
          const text =
            flags.format === 'json'
              ? jsonText({ ...ownVersion(), node: process.version, platform: process.platform, arch: process.arch })
              : `${versionLine()}\n`;
          io.stdout.write(text);
        }),
      );
  },
};
