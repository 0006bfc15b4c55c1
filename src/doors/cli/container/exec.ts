import { converse } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import type { CliContext } from '../command.ts';
import { envOf } from '../run/flags.ts';
import { descriptorWriter, inputBytes } from '../run/standard-streams.ts';
import { terminalOf } from './attach.ts';
import { openContainers } from './containers.ts';
import { findContainer } from './find-container.ts';
import { isRunning, notRunning } from './stop.ts';

export interface ExecFlags {
  readonly interactive?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly detach?: boolean | undefined;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

/** `strake exec`: gives the exit code of the command. */
export async function execIn(
  name: string,
  args: readonly string[],
  o: { readonly flags: ExecFlags; readonly c: CliContext },
): Promise<number> {
  const { flags, c } = o;
  const { io } = c;
  const terminal = flags.tty === true && flags.detach !== true;
  if (flags.interactive && terminal && io.stdin.isTTY !== true)
    throw usage('run with -i and -t: standard input is not a terminal', 'Leave out -t to give it the input as it is.');
  if (flags.workdir !== undefined && !flags.workdir.startsWith('/'))
    throw usage(`run in "${flags.workdir}": the working folder is not absolute`);
  const record = await findContainer(name, c);
  if (!isRunning(record)) throw notRunning(record);
  const stdin = flags.interactive === true && flags.detach !== true;
  using input = stdin ? inputBytes(io.stdin) : undefined;
  using screen = terminalOf({ c, raw: terminal && stdin });
  const code = await converse(
    {
      ask: 'exec',
      args,
      env: envOf(flags, io),
      cwd: flags.workdir,
      user: flags.user,
      terminal: terminal ? io.stdout.size() : undefined,
      stdin,
      detach: flags.detach === true,
    },
    {
      folder: openContainers(c).store.folderOf(record.id),
      name: record.name,
      stdin: input,
      stdout: descriptorWriter(1),
      stderr: descriptorWriter(2),
      begun: (conversation) => screen.watch(conversation, terminal),
      signal: c.signal,
    },
  );
  return code ?? 0;
}
