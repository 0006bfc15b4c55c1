import type { DockerfileNode, InstructionNode } from './ast.ts';
import { dockerfileError, located } from './errors.ts';
import { parseFlags } from './flags.ts';
import { quote, trimSpace } from './go-text.ts';
import { parseHealthcheck } from './healthcheck.ts';
import { chompTabs, heredocWord } from './heredoc.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CommandLine,
  CopyInstruction,
  FileSources,
  FromInstruction,
  InlineFile,
  Instruction,
  Pair,
  Program,
  RunInstruction,
  StageInstruction,
  StageText,
} from './instruction.ts';
import { parseDevice, parseMount } from './mount.ts';
import { instructionNames } from './parser.ts';
import { didYouMean } from './suggest.ts';
import type { Places } from './text.ts';

/**
 * The typed instructions of a Dockerfile, in stages (facts 1.1). Throws `DOCKERFILE_UNKNOWN_INSTRUCTION`, `DOCKERFILE_FLAG`, `DOCKERFILE_INSTRUCTION` and
 * `DOCKERFILE_NO_STAGE`, each with its place; `onFault` is given what stands before the fault.
 */
export function programOf(file: DockerfileNode, places: Places, onFault?: (before: Program) => void): Program {
  const globals: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = [];
  try {
    return collect(file, places, { globals, stages });
  } catch (error) {
    onFault?.({ globals, stages });
    throw error;
  }
}

function collect(
  file: DockerfileNode,
  places: Places,
  {
    globals,
    stages,
  }: { globals: ArgInstruction[]; stages: { from: FromInstruction; instructions: StageInstruction[] }[] },
): Program {
  for (const node of file.instructions) {
    const instruction = parseInstruction(node, places);
    const stage = stages.at(-1);
    if (instruction.kind === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') globals.push(instruction);
    else
      throw dockerfileError('DOCKERFILE_NO_STAGE', 'no build stage in current context', {
        place: places.place(node.range),
        remedy: `Put a FROM instruction before ${node.keyword.text}; only ARG may come first.`,
      });
  }
  if (stages.length === 0)
    throw dockerfileError('DOCKERFILE_NO_STAGE', 'dockerfile contains no stages to build', {
      remedy: 'Add a FROM instruction.',
    });
  return { globals, stages: stages satisfies StageText[] };
}

/** One node as a typed instruction. Every error has a place. */
export function parseInstruction(node: InstructionNode, places: Places): Instruction {
  const place = places.place(node.range);
  try {
    const common = {
      name: node.keyword.text,
      code: trimSpace(node.original),
      range: node.range,
      comments: node.comments,
    };
    return { ...common, ...bodyOf(node) };
  } catch (error) {
    throw located(error, place, `dockerfile parse error on line ${place.line}: `);
  }
}

type Body<I> = I extends unknown ? Omit<I, 'name' | 'code' | 'range' | 'comments'> : never;

function bodyOf(node: InstructionNode): Body<Instruction> {
  switch (node.name) {
    case 'from':
      return parseFrom(node);
    case 'arg':
      return parseArg(node);
    case 'env':
    case 'label':
      return { kind: node.name, pairs: parsePairs(node) };
    case 'copy':
      return parseCopy(node);
    case 'add':
      return parseAdd(node);
    case 'run':
      return parseRun(node);
    case 'cmd':
    case 'entrypoint':
      noFlags(node);
      return { kind: node.name, ...commandLine(node) };
    case 'healthcheck':
      return { kind: 'healthcheck', health: parseHealthcheck(node) };
    case 'expose':
      return { kind: 'expose', ports: atLeastOne(node).sort() };
    case 'volume':
      return { kind: 'volume', volumes: parseVolumes(node) };
    case 'shell':
      return { kind: 'shell', shell: parseShell(node) };
    case 'onbuild':
      return { kind: 'onbuild', text: parseOnbuild(node) };
    case 'maintainer':
    case 'stopsignal':
    case 'user':
    case 'workdir':
      return { kind: node.name, text: exactlyOne(node) };
    default:
      throw unknownInstruction(node.keyword.text);
  }
}

function unknownInstruction(name: string): Error {
  const known = instructionNames.map((instruction) => instruction.toUpperCase());
  return dockerfileError(
    'DOCKERFILE_UNKNOWN_INSTRUCTION',
    `unknown instruction: ${name}${didYouMean(name, known, true)}`,
    { remedy: 'Correct the word, or end the line before with the escape character if this continues it.' },
  );
}

function parseFrom(node: InstructionNode): Body<FromInstruction> {
  const [base, as, alias, more] = node.args.map((arg) => arg.text);
  const { platform } = parseFlags(node.flags, { platform: 'text' });
  const named = as !== undefined && as.toLowerCase() === 'as' && alias !== undefined && more === undefined;
  if (base === undefined || (!named && as !== undefined))
    throw wrong('FROM requires either one or three arguments', 'Write FROM <image>, or FROM <image> AS <name>.');
  if (!named) return { kind: 'from', base, platform };
  const name = alias.toLowerCase();
  if (!/^[a-z][a-z0-9-_.]*$/.test(name))
    throw wrong(
      `invalid name for build stage: ${quote(alias)}, name can't start with a number or contain symbols`,
      'Start the name with a letter and use letters, digits, "-", "_" and ".".',
    );
  return { kind: 'from', base, as, alias: name, aliasWritten: alias, platform };
}

function parseArg(node: InstructionNode): Body<ArgInstruction> {
  const args = atLeastOne(node, false).map((text) => {
    const equals = text.indexOf('=');
    if (equals === 0) throw wrong('ARG names can not be blank', 'Write ARG name or ARG name=default.');
    return equals < 0 ? { key: text } : { key: text.slice(0, equals), value: text.slice(equals + 1) };
  });
  return { kind: 'arg', args };
}

function parsePairs(node: InstructionNode): readonly Pair[] {
  const name = node.name.toUpperCase();
  noFlags(node);
  if (node.pairs.length === 0) throw wrong(`${name} requires at least one argument`, `Write ${name} name=value.`);
  return node.pairs.map(({ key, value, legacy }) => {
    if (key === '') throw wrong(`${name} names can not be blank`, `Write ${name} name=value.`);
    return { key, value, legacy };
  });
}

/** Sources, inline files and destination of COPY and ADD. */
function fileSources(node: InstructionNode): Pick<FileSources, 'sources' | 'files' | 'destination'> {
  const name = node.name.toUpperCase();
  const words = node.args.map((arg) => arg.text);
  const destination = words.pop();
  if (destination === undefined || words.length === 0)
    throw wrong(
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      `Write ${name} <source>… <destination>.`,
    );
  const heredoc = (word: string): ReturnType<typeof heredocWord> =>
    node.form === 'json' ? undefined : heredocWord(word);
  if (heredoc(destination) !== undefined)
    throw wrong(`${name} cannot accept a heredoc as a destination`, 'Put the destination last.');
  const sources: string[] = [];
  const files: InlineFile[] = [];
  for (const word of words) {
    const opened = heredoc(word);
    if (opened === undefined) sources.push(word);
    else {
      const body = node.heredocs.findLast((candidate) => candidate.name === opened.name)?.content ?? '';
      files.push({ name: opened.name, content: opened.chomp ? chompTabs(body) : body, expand: opened.expand });
    }
  }
  return { sources, files, destination };
}

function parseCopy(node: InstructionNode): Body<CopyInstruction> {
  const paths = fileSources(node);
  const flags = parseFlags(node.flags, {
    chown: 'text',
    from: 'text',
    chmod: 'text',
    link: 'switch',
    exclude: 'list',
    parents: 'switch',
  });
  return {
    kind: 'copy',
    ...paths,
    from: flags.from ?? '',
    chown: flags.chown ?? '',
    chmod: flags.chmod ?? '',
    link: flags.link ?? false,
    exclude: flags.exclude,
    parents: flags.parents ?? false,
  };
}

function parseAdd(node: InstructionNode): Body<AddInstruction> {
  const paths = fileSources(node);
  const flags = parseFlags(node.flags, {
    chown: 'text',
    chmod: 'text',
    link: 'switch',
    'keep-git-dir': 'switch',
    checksum: 'text',
    unpack: 'switch',
    exclude: 'list',
  });
  return {
    kind: 'add',
    ...paths,
    chown: flags.chown ?? '',
    chmod: flags.chmod ?? '',
    link: flags.link ?? false,
    exclude: flags.exclude,
    keepGitDir: flags['keep-git-dir'],
    checksum: flags.checksum ?? '',
    unpack: flags.unpack,
  };
}

function parseRun(node: InstructionNode): Body<RunInstruction> {
  const flags = parseFlags(node.flags, { mount: 'list', network: 'text', security: 'text', device: 'list' });
  const network = flags.network ?? 'default';
  if (network !== 'default' && network !== 'none' && network !== 'host')
    throw wrong(`invalid network mode ${quote(network)}`, 'Use --network=default, none or host.');
  const security = flags.security ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure')
    throw wrong(`security ${quote(security)} is not valid`, 'Use --security=sandbox or insecure.');
  const command = commandLine(node);
  if (!command.shell && command.args.length === 0)
    throw wrong('RUN requires at least one argument', 'Give the program to run as the first element of the array.');
  return {
    kind: 'run',
    ...command,
    heredocs: node.heredocs.map(({ name, content, chomp }) => ({ name, content, chomp })),
    mounts: flags.mount.map(parseMount),
    devices: flags.device.map(parseDevice),
    network,
    security,
  };
}

function commandLine(node: InstructionNode): CommandLine {
  const args = node.args.map((arg) => arg.text);
  return node.form === 'json' ? { args, shell: false } : { args: [args.join(' ')], shell: true };
}

function parseVolumes(node: InstructionNode): readonly string[] {
  return atLeastOne(node).map((word) => {
    const volume = trimSpace(word);
    if (volume === '') throw wrong('VOLUME specified can not be an empty string', 'Remove the empty element.');
    return volume;
  });
}

function parseShell(node: InstructionNode): readonly string[] {
  const shell = atLeastOne(node);
  if (node.form === 'json') return shell;
  throw wrong('SHELL requires the arguments to be in JSON form', 'Write SHELL ["/bin/bash", "-c"].');
}

/** The trigger's text as it goes into the image's config. */
function parseOnbuild(node: InstructionNode): string {
  atLeastOne(node);
  const name = node.trigger?.keyword.text.toUpperCase() ?? '';
  if (name === 'ONBUILD')
    throw wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", 'Remove one of the two words.');
  if (name === 'MAINTAINER' || name === 'FROM')
    throw wrong(`${name} isn't allowed as an ONBUILD trigger`, 'Put it into the Dockerfile that builds on this image.');
  const text = node.original.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, '');
  return text + node.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('');
}

function noFlags(node: InstructionNode): void {
  parseFlags(node.flags, {});
}

function exactlyOne(node: InstructionNode): string {
  const [text, more] = node.args;
  if (text === undefined || more !== undefined)
    throw wrong(
      `${node.name.toUpperCase()} requires exactly one argument`,
      `Write ${node.name.toUpperCase()} <value>.`,
    );
  // BuildKit leaves the flags of STOPSIGNAL unread.
  if (node.name !== 'stopsignal') noFlags(node);
  return text.text;
}

function atLeastOne(node: InstructionNode, checkFlags = true): string[] {
  const name = node.name.toUpperCase();
  if (node.args.length === 0) throw wrong(`${name} requires at least one argument`, `Give ${name} an argument.`);
  if (checkFlags) noFlags(node);
  return node.args.map((arg) => arg.text);
}

function wrong(message: string, remedy: string): Error {
  return dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy });
}
