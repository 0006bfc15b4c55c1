import type { CopyFlags } from '../container/copy-files.ts';
import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  about:
    'Copies files and folders between a container, running or not, and this machine. A folder that is copied to one that is there goes into it, "folder/." only what is in it; "-" is a tar on standard input or output.',
  examples: [
    ['strake cp web:/var/log/app.log .', 'out of a container'],
    ['strake cp ./site/. web:/www', 'what is in a folder, into one of a container'],
    ['strake cp web:/etc - | tar -t', 'as a tar'],
  ],
  define(command, run) {
    command
      .argument('<from>', 'a path, container:path, or -')
      .argument('<to>', 'a path, container:path, or -')
      .option('-a, --archive', 'keep owners (in containers all becomes root’s otherwise, here the own)')
      .option('-L, --follow-link', 'copy what a link leads to in its place')
      .action((from: string, to: string, flags: CopyFlags) =>
        run(command, async (c) => (await import('../container/copy-files.ts')).copyFiles(from, to, { flags, c })),
      );
  },
};
