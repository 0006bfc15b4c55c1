import { shellQuote, walk, type Outline } from './outline.ts';

/** A completion script for bash, to be sourced: `source <(strake completion bash)`. */
export function bashCompletion(program: Outline): string {
  const { name } = program;
  const nodes = [...walk(program)];
  const cases = nodes.map(({ path, outline }) => {
    const words = [
      ...outline.commands.flatMap((one) => [one.name, ...one.aliases]),
      ...outline.options.flatMap(({ long }) => long ?? []),
    ];
    return `    ${shellQuote(path.join(' '))}) words=${shellQuote(words.join(' '))}; argument=${outline.argument} ;;`;
  });
  const values = nodes.flatMap(({ path, outline }) =>
    outline.options
      .filter(({ takesValue }) => takesValue)
      .map((option) => {
        const patterns = [option.long, option.short]
          .filter((flag) => flag !== undefined)
          .map((flag) => shellQuote(`${path.join(' ')}|${flag}`));
        const reply =
          option.choices.length > 0
            ? `compgen -W ${shellQuote(option.choices.join(' '))} -- "$current"`
            : option.value === 'folder'
              ? 'compgen -d -- "$current"'
              : option.value === 'file'
                ? 'compgen -f -- "$current"'
                : ':';
        return `    ${patterns.join(' | ')}) mapfile -t COMPREPLY < <(${reply}); return ;;`;
      }),
  );
  const aliases = nodes.flatMap(({ path, outline }) =>
    outline.aliases.map(
      (alias) => `      ${shellQuote([...path.slice(0, -1), alias].join(' '))}) path=${shellQuote(path.join(' '))} ;;`,
    ),
  );
  const known = nodes.map(({ path }) => shellQuote(path.join(' '))).join(' | ');
  return `# ${name} completion for bash, to be sourced
_${name}() {
  local current previous path= next word words= argument=none
  COMPREPLY=()
  current=\${COMP_WORDS[COMP_CWORD]}
  previous=\${COMP_WORDS[COMP_CWORD-1]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next=\${path:+$path }$word
    case $next in
${aliases.join('\n')}
      ${known}) path=$next ;;
    esac
  done
  case "$path|$previous" in
${values.join('\n')}
  esac
  case $path in
${cases.join('\n')}
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  case $argument in
    image) words+=" $(strake images 2>/dev/null | awk 'NR > 1 && $1 != "<none>" { print $1 ":" $2 }')" ;;
    shell) words+=' bash zsh fish' ;;
    path) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  local plain=
  for word in $words; do [[ $word == -* ]] || plain+=" $word"; done
  mapfile -t COMPREPLY < <(compgen -W "$plain" -- "$current")
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$current"; fi
}
complete -F _${name} ${name}
`;
}
