import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../base/index.ts';
import { completionScript, programOutline, SHELLS, userConfigPath, type Io, type Outline } from '../cli/index.ts';
import { packError } from './errors.ts';
import type { Flag } from './flag.ts';
import { GLOBAL_FLAGS } from './flags.ts';
import { PACK_COMMANDS, PASSED } from './pack-program.ts';
import type { ParsedFlags } from './parse-flags.ts';

const ENDINGS: Readonly<Record<string, string>> = { bash: 'sh', fish: 'fish', zsh: 'zsh' };

/** `pack completion`: writes the script beside the user's configuration, as pack does, and prints its path. */
export async function completion({ values }: ParsedFlags, { io }: { readonly io: Io }): Promise<number> {
  const wanted = values.get('shell')?.at(-1) ?? 'bash';
  const shell = SHELLS.find((one) => one === wanted);
  if (shell === undefined)
    throw packError('PACK_FLAG_INVALID', `read --shell "${wanted}": there is no script for it`, {
      remedy: `Use one of: ${SHELLS.join(', ')}.`,
    });
  const script = await completionScript(shell, await packOutline(io));
  const path = join(dirname(userConfigPath(io)), `completion.${ENDINGS[shell] ?? shell}`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.${process.pid}`, script);
    renameSync(`${path}.${process.pid}`, path);
  } catch (error) {
    throw packError('PACK_FLAG_INVALID', `write "${path}": ${messageOf(error)}`, { cause: error });
  }
  io.stdout.write(`${path}\n`);
  return 0;
}

/** pack's commands: those of its own tables, and those of strake that it hands on whole. */
async function packOutline(io: Io): Promise<Outline> {
  const strake = await programOutline(io);
  const command = (name: string, summary: string, flags: readonly Flag[]): Outline => ({
    name,
    aliases: [],
    summary,
    options: flags
      .filter(({ standing }) => standing !== 'refused')
      .map((flag) => ({
        short: flag.short === undefined ? undefined : `-${flag.short}`,
        long: `--${flag.name}`,
        description: flag.about,
        takesValue: flag.kind !== 'bool',
        choices: flag.name === 'shell' ? SHELLS : [],
        value: /^(?:path|descriptor|env-file)$/.test(flag.name)
          ? 'file'
          : flag.name.endsWith('-dir')
            ? 'folder'
            : 'other',
      })),
    commands: [],
    argument: 'none',
  });
  const own = Object.entries(PACK_COMMANDS).map(([name, { about, flags }]) => {
    const [group, inner] = name.split(' ');
    return inner === undefined
      ? command(name, about, flags)
      : { ...command(group ?? '', about, []), commands: [command(inner, about, flags)] };
  });
  const passed = strake.commands.filter(({ name }) => PASSED.includes(name));
  return { ...command('pack', '', GLOBAL_FLAGS), commands: [...own, ...passed] };
}
