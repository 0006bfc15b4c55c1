import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cliError, usage } from '../errors.ts';
import type { CliCommand } from '../command.ts';
import { withProgress } from '../transfer.ts';
import { engineFor } from '../settings.ts';

interface Flags {
  readonly input?: string;
  readonly quiet?: boolean;
}

export const command: CliCommand = {
  about: 'Reads the images of an archive or OCI layout into the local store. Every layer is verified.',
  examples: [
    ['strake load -i app.tar', 'an archive of "docker save", "strake save" or any OCI tool'],
    ['strake load layout/', 'an OCI image layout'],
    ['podman save app | strake load', 'from standard input'],
  ],
  define(command, run) {
    command
      .argument('[path]', 'an archive or layout folder (default: standard input)')
      .option('-i, --input <path>', 'the same')
      .option('-q, --quiet', 'print IDs only')
      .action((path: string | undefined, flags: Flags) =>
        run(command, async (c) => {
          const { settings, io, signal } = c;
          const from = flags.input ?? path ?? '-';
          if (from === '-' && io.stdin.isTTY)
            throw usage(
              'read an archive from standard input: it is a terminal',
              'Name the archive, as in "strake load -i app.tar".',
            );
          if (from !== '-' && !existsSync(resolve(io.cwd, from)))
            throw cliError('CONTEXT_NOT_FOUND', `read the archive "${from}": no such file or folder`, {
              remedy: 'Check the path.',
            });
          await using engine = await engineFor(settings);
          const { tempFolder } = await import('../../../base/index.ts');
          const { spool } = await import('../build/spool.ts');
          using stack = new DisposableStack();
          let file = resolve(io.cwd, from);
          if (from === '-') {
            const scratch = join(settings.root, 'tmp');
            mkdirSync(scratch, { recursive: true });
            file = join(stack.use(tempFolder(scratch, io.random)).path, 'archive');
            await spool(io.stdin, { path: file, signal });
          }
          const loaded = await withProgress(
            c,
            { title: 'Loading', name: `load ${from}`, quiet: flags.quiet, discreet: true },
            () => engine.images.load(file, { signal }),
          );
          for (const image of loaded) {
            if (flags.quiet || image.names.length === 0) io.stdout.write(`${image.id}\n`);
            else for (const name of image.names) io.stdout.write(`Loaded: ${name}\n`);
          }
        }),
      );
  },
};
