import { kindOf, messageOf } from '../../base/index.ts';
import { describeFailure, readUserConfig, runCli, styleFor, versionLine, type Io } from '../cli/index.ts';
import { withoutLegacy } from './aliases.ts';
import { packError } from './errors.ts';
import type { Flag } from './flag.ts';
import {
  BUILD_FLAGS,
  COMPLETION_FLAGS,
  GLOBAL_FLAGS,
  INSPECT_FLAGS,
  REBASE_FLAGS,
  REPORT_FLAGS,
  SBOM_FLAGS,
} from './flags.ts';
import { groupHelp, helpOf } from './help.ts';
import { parseFlags, type ParsedFlags } from './parse-flags.ts';
import { passedOn } from './passed-on.ts';
import { progress, tell } from './say.ts';

interface Host {
  readonly io: Io;
  readonly signal: AbortSignal;
}

/** What a user of pack is told it is not: nothing was wrong, but nothing was done. */
const SOFT = 2;

interface PackCommand {
  readonly about: string;
  readonly usage: string;
  readonly flags: readonly Flag[];
  run(parsed: ParsedFlags, o: Host): Promise<number>;
}

/** Commands with flags that are not all strake's. */
export const PACK_COMMANDS: Readonly<Record<string, PackCommand>> = {
  build: {
    about: 'Builds an image of an application with buildpacks.',
    usage: 'build <image-name>',
    flags: BUILD_FLAGS,
    run: async (parsed, o) => (await import('./build.ts')).build(parsed, o),
  },
  rebase: {
    about: 'Puts an app image on the newest version of its run image.',
    usage: 'rebase <image-name>',
    flags: REBASE_FLAGS,
    run: async (parsed, o) => {
      const { argv, notes } = passedOn(parsed, REBASE_FLAGS);
      for (const note of notes) tell(note, o.io);
      return runCli(['rebase', ...argv, ...progress(parsed), '--', ...parsed.words], o);
    },
  },
  inspect: {
    about: 'Shows what buildpacks made an app image of.',
    usage: 'inspect <image-name>',
    flags: INSPECT_FLAGS,
    run: async (parsed, o) => {
      const { argv } = passedOn(parsed, INSPECT_FLAGS);
      const output = parsed.values.has('output') ? [] : ['--output=human-readable'];
      return runCli(['inspect', ...output, ...argv, '--', ...parsed.words], o);
    },
  },
  'sbom download': {
    about: 'Writes the SBOM files of an app image.',
    usage: 'sbom download <image-name>',
    flags: SBOM_FLAGS,
    run: async (parsed, o) =>
      runCli(['sbom', 'download', ...passedOn(parsed, SBOM_FLAGS).argv, '--', ...parsed.words], o),
  },
  report: {
    about: 'Shows what helps to understand a problem.',
    usage: 'report',
    flags: REPORT_FLAGS,
    run: async (parsed, { io }) => {
      const { reportText } = await import('./report.ts');
      io.stdout.write(reportText(io, { explicit: parsed.values.get('explicit')?.at(-1) === 'true' }));
      return 0;
    },
  },
  completion: {
    about: 'Writes a script that completes commands and flags, and prints where it is.',
    usage: 'completion',
    flags: COMPLETION_FLAGS,
    run: async (parsed, o) => (await import('./completion.ts')).completion(parsed, o),
  },
  version: {
    about: 'Shows the version.',
    usage: 'version',
    flags: [],
    run: async (_parsed, { io }) => {
      io.stdout.write(`${versionLine()}\n`);
      return 0;
    },
  },
};

/** Commands that strake has with pack's flags. */
export const PASSED: readonly string[] = ['builder', 'buildpack', 'extension', 'manifest', 'config'];

/** pack's command line, to pack's exit codes: 0, 1 for what failed, 2 where a choice is missing. What went wrong is one message on standard error. */
export async function runPack(argv: readonly string[], host: Host): Promise<number> {
  const { argv: words, warning } = withoutLegacy(argv);
  const o = { ...host, io: colored(words, host.io) };
  if (warning !== undefined) tell(warning, o.io);
  try {
    return packCode(await dispatch(words, o));
  } catch (error) {
    if (o.signal.aborted) {
      o.io.stderr.write(`${messageOf(o.signal.reason)}\n`);
      return kindOf(o.signal.reason) === 'cancelled' ? 130 : 1;
    }
    o.io.stderr.write(describeFailure(error, { color: o.io.errStyle.colored }).replace(/error: /, () => 'ERROR: '));
    return 1;
  }
}

async function dispatch(argv: readonly string[], o: Host): Promise<number> {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const word = argv[at];
  if (word === undefined) {
    if (argv.includes('--version')) o.io.stdout.write(`${versionLine()}\n`);
    else {
      parseFlags(argv, GLOBAL_FLAGS);
      o.io.stdout.write(groupHelp(PACK_COMMANDS, PASSED));
    }
    return 0;
  }
  const rest = argv.toSpliced(at, 1);
  if (word === 'help') return dispatch([...rest, '--help'], o);
  if (word === 'stack') {
    tell("Command 'pack stack suggest' has been deprecated: stacks are, run images are found by their targets", o.io);
    return runCli(['builder', 'suggest'], o);
  }
  if (PASSED.includes(word)) return passWhole(word, rest, o);
  const [name, flags] = word === 'sbom' ? ['sbom download', withoutFirst(rest, 'download')] : [word, rest];
  const command = Object.hasOwn(PACK_COMMANDS, name) ? PACK_COMMANDS[name] : undefined;
  if (command === undefined)
    throw packError('PACK_FLAG_INVALID', `read the command line: unknown command "${word}" for "pack"`, {
      remedy: 'See "pack --help".',
    });
  const own = new Set(command.flags.map(({ short }) => short));
  const all = [
    ...command.flags,
    ...GLOBAL_FLAGS.map((flag) => (own.has(flag.short) ? { ...flag, short: undefined } : flag)),
  ];
  const parsed = parseFlags(flags, all);
  if (parsed.values.get('help')?.at(-1) === 'true') {
    o.io.stdout.write(helpOf(command, all));
    return 0;
  }
  if (parsed.values.get('timestamps')?.at(-1) === 'true')
    for (const note of passedOn(parsed, GLOBAL_FLAGS).notes) tell(note, o.io);
  return command.run(parsed, o);
}

/** Hands a command on whole, without those flags of the program that the command does not have. */
async function passWhole(word: string, rest: readonly string[], o: Host): Promise<number> {
  const [what] = rest.filter((each) => !each.startsWith('-'));
  const makes = what === 'create' || what === 'package' || what === 'push';
  const dropped = [
    '--no-color',
    '--force-color',
    '--timestamps',
    ...(makes ? [] : ['-q', '--quiet']),
    ...(what === 'inspect' ? [] : ['-v', '--verbose']),
  ];
  const words = rest.filter((each) => !dropped.includes(each.replace(/=(?:true|false)$/, '')));
  if (word === 'builder' && what === 'inspect' && words.length === 1) {
    if (readUserConfig(o.io).defaultBuilder === undefined) {
      o.io.stderr.write('Please select a default builder with:\n\n\tpack config default-builder <builder-image>\n\n');
      await runCli(['builder', 'suggest'], o);
      return SOFT;
    }
  }
  return runCli([word, ...words], o);
}

function withoutFirst(words: readonly string[], word: string): readonly string[] {
  const at = words.indexOf(word);
  if (at < 0)
    throw packError('PACK_FLAG_INVALID', 'read the command line: "pack sbom" has the command download only', {
      remedy: 'See "pack sbom download --help".',
    });
  return words.toSpliced(at, 1);
}

/** pack knows no more codes; those of signals stay. */
function packCode(code: number): number {
  return code === 0 || code === SOFT || code >= 128 ? code : 1;
}

function colored(argv: readonly string[], io: Io): Io {
  if (argv.some((word) => /^--no-color(?:=true)?$/.test(word)))
    return { ...io, env: { ...io.env, NO_COLOR: '1' }, outStyle: styleFor(false), errStyle: styleFor(false) };
  if (argv.some((word) => /^--force-color(?:=true)?$/.test(word)))
    return { ...io, outStyle: styleFor(true), errStyle: styleFor(true) };
  return io;
}
