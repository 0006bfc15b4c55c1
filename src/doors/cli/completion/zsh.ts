import { shellQuote, walk, type Outline, type OutlineOption } from './outline.ts';

/** A completion script for zsh: a file `_strake` on its fpath, or sourced. */
export function zshCompletion(program: Outline): string {
  const nodes = [...walk(program)];
  const { name } = program;
  const functions = nodes.map(({ path, outline }) => functionOf([name, ...path], outline));
  return `#compdef ${name}
# ${name} completion for zsh: a file _${name} of the fpath, or to be sourced

_${name}__images() {
  local -a images
  images=(\${(f)"$(strake images 2>/dev/null | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }')"})
  compadd -a images
}

${functions.join('\n\n')}

if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

/** The first word is the program's. */
const nameOf = (path: readonly string[]): string => `_${path.join('_')}`;

function functionOf(path: readonly string[], outline: Outline): string {
  const options = outline.options.map(optionSpec);
  if (outline.commands.length === 0)
    return `${nameOf(path)}() {\n  _arguments -s \\\n${[...options, argumentSpec(outline, path)].map((spec) => `    ${spec}`).join(' \\\n')}\n}`;
  const described = outline.commands.map(({ name, summary }) => `    ${shellQuote(`${name}:${escaped(summary)}`)}`);
  const cases = outline.commands.map(
    (one) => `        ${[one.name, ...one.aliases].join('|')}) ${nameOf([...path, one.name])} ;;`,
  );
  return `${nameOf(path)}() {
  local state line
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -C \\
${[...options, `'1: :->command'`, `'*:: :->rest'`].map((spec) => `    ${spec}`).join(' \\\n')}
  case $state in
    command) _describe 'command' commands ;;
    rest)
      case $line[1] in
${cases.join('\n')}
      esac ;;
  esac
}`;
}

function optionSpec(option: OutlineOption): string {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const action =
    option.choices.length > 0
      ? `(${option.choices.join(' ')})`
      : option.value === 'folder'
        ? '_files -/'
        : option.value === 'file'
          ? '_files'
          : '';
  const value = option.takesValue ? `:value:${action}` : '';
  const text = `[${escaped(option.description)}]${value}`;
  const [first = ''] = flags;
  // Short and long are one option, which may be given again.
  return flags.length > 1 ? `'*'{${flags.join(',')}}${shellQuote(text)}` : shellQuote(`*${first}${text}`);
}

function argumentSpec(outline: Outline, [program]: readonly string[]): string {
  switch (outline.argument) {
    case 'image':
      return `'*:image:_${program}__images'`;
    case 'path':
      return `'*:path:_files'`;
    case 'shell':
      return `'1:shell:(bash zsh fish)'`;
    default:
      return `'*: :'`;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}
