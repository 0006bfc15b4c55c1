import { Argument } from 'commander';
import type { CliCommand } from '../program.ts';
import { createProgram } from '../program.ts';

export const command: CliCommand = {
  about: 'Prints a script that completes commands, flags and image names.',
  examples: [
    ['source <(strake completion bash)', 'in ~/.bashrc'],
    ['strake completion zsh > ~/.zsh/completions/_strake', 'a folder of the fpath'],
    ['strake completion fish > ~/.config/fish/completions/strake.fish', 'fish finds it there'],
  ],
  define(command, run) {
    command
      .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
      .action((shell: string) =>
        run(command, async ({ io }) => {
          const { outlineOf } = await import('../completion/outline.ts');
          const outline = outlineOf(await createProgram([], { run: async () => undefined, io, all: true }));
          if (shell === 'bash') io.stdout.write((await import('../completion/bash.ts')).bashCompletion(outline));
          else if (shell === 'zsh') io.stdout.write((await import('../completion/zsh.ts')).zshCompletion(outline));
          else io.stdout.write((await import('../completion/fish.ts')).fishCompletion(outline));
        }),
      );
  },
};
