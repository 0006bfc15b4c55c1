import { Argument } from 'commander';
import type { CliCommand } from '../command.ts';
import { SHELLS, type Shell } from '../completion/completion-script.ts';

export const command: CliCommand = {
  about: 'Prints a script that completes commands, flags and image names.',
  examples: [
    ['source <(strake completion bash)', 'in ~/.bashrc'],
    ['strake completion zsh > ~/.zsh/completions/_strake', 'a folder of the fpath'],
    ['strake completion fish > ~/.config/fish/completions/strake.fish', 'fish finds it there'],
  ],
  define(command, run) {
    command.addArgument(new Argument('<shell>', 'which shell').choices([...SHELLS])).action((shell: Shell) =>
      run(command, async ({ io }) => {
        const { completionScript, programOutline } = await import('../completion/completion-script.ts');
        io.stdout.write(await completionScript(shell, await programOutline(io)));
      }),
    );
  },
};
