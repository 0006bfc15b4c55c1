import { shellQuote, walk, type Outline } from './outline.ts';

/** A completion script for fish. */
export function fishCompletion(program: Outline): string {
  const { name } = program;
  const lines: string[] = [];
  for (const { path, outline } of walk(program)) {
    const condition = conditionOf(path, outline);
    for (const command of outline.commands)
      lines.push(
        `complete -c ${name} -n ${condition} -f -a ${shellQuote(command.name)} -d ${shellQuote(command.summary)}`,
      );
    for (const option of outline.options) {
      const flags = [option.short && `-s ${option.short.slice(1)}`, option.long && `-l ${option.long.slice(2)}`]
        .filter(Boolean)
        .join(' ');
      const value = !option.takesValue
        ? ''
        : option.choices.length > 0
          ? ` -x -a ${shellQuote(option.choices.join(' '))}`
          : option.value === 'other'
            ? ' -x'
            : ' -r';
      lines.push(`complete -c ${name} -n ${condition} ${flags}${value} -d ${shellQuote(option.description)}`);
    }
    if (outline.argument === 'image') lines.push(`complete -c ${name} -n ${condition} -f -a '(__${name}_images)'`);
    if (outline.argument === 'shell') lines.push(`complete -c ${name} -n ${condition} -f -a 'bash zsh fish'`);
  }
  return `# ${name} completion for fish: a file ${name}.fish in ~/.config/fish/completions, or to be sourced
function __${name}_images
    strake images 2>/dev/null | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }'
end
${lines.join('\n')}
`;
}

function conditionOf(path: readonly string[], outline: Outline): string {
  if (path.length === 0) return shellQuote('__fish_use_subcommand');
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
  const further = outline.commands.map(({ name }) => name).join(' ');
  return shellQuote(further === '' ? seen : `${seen}; and not __fish_seen_subcommand_from ${further}`);
}
