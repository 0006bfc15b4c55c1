import type { DockerfileNode } from './ast.ts';
import { quote } from './go-text.ts';
import type { Program, StageInstruction, StageText } from './instruction.ts';
import type { Linter } from './lint.ts';
import type { Range } from './text.ts';

const RESERVED: readonly string[] = ['context', 'scratch'];

/** The rules that need only the text, in BuildKit's order. */
export function lintProgram(file: DockerfileNode, program: Program, lint: Linter): void {
  lintWritten(file, program, lint);
  lintStageNames(program.stages, lint);
  lintCasing(program.stages, lint);
}

/** Those that look at one instruction at a time: they hold for a part of a file, too. */
export function lintWritten(file: DockerfileNode, program: Program, lint: Linter): void {
  for (const range of file.emptyContinuations) lint.report('NoEmptyContinuation', range, 'Empty continuation line');
  for (const instruction of program.globals) lintInstruction(instruction, lint.forComments(instruction.comments));
  for (const stage of program.stages) {
    lintFrom(stage, lint.forComments(stage.from.comments));
    for (const instruction of stage.instructions) lintInstruction(instruction, lint.forComments(instruction.comments));
  }
}

function lintFrom({ from }: StageText, lint: Linter): void {
  const { name, as, alias, aliasWritten, range } = from;
  if (alias === undefined || as === undefined) return;
  if (alias !== aliasWritten)
    lint.report('StageNameCasing', range, `Stage name '${aliasWritten ?? alias}' should be lowercase`);
  const lower = name === name.toLowerCase();
  const consistent = lower || name === name.toUpperCase();
  if (consistent && as !== (lower ? as.toLowerCase() : as.toUpperCase()))
    lint.report('FromAsCasing', range, `'${as}' and '${name}' keywords' casing do not match`);
  lintDescription('FROM', [alias], from, lint);
}

function lintInstruction(instruction: StageInstruction, lint: Linter): void {
  if (instruction.kind === 'maintainer')
    lint.report(
      'MaintainerDeprecated',
      instruction.range,
      'Maintainer instruction is deprecated in favor of using label',
    );
  if (instruction.kind === 'arg')
    lintDescription(
      'ARG',
      instruction.args.map((arg) => arg.key),
      instruction,
      lint,
    );
}

function lintDescription(
  instruction: string,
  names: readonly string[],
  { comments, range }: { readonly comments: readonly string[]; readonly range: Range },
  lint: Linter,
): void {
  const first = comments.at(-1)?.split(' ')[0];
  if (first === undefined || names.includes(first)) return;
  const example = names.length > 1 ? '<arg_key>' : (names[0] ?? '');
  const message = `Comment for ${instruction} should follow the format: \`# ${example} <description>\``;
  lint.report('InvalidDefinitionDescription', range, message);
}

function lintStageNames(stages: readonly StageText[], lint: Linter): void {
  const seen = new Set<string>();
  for (const { from } of stages) {
    if (from.alias === undefined) continue;
    if (RESERVED.includes(from.alias))
      lint.report(
        'ReservedStageName',
        from.range,
        `Stage name should not use the same name as reserved stage ${quote(from.alias)}`,
      );
    if (seen.has(from.alias))
      lint.report(
        'DuplicateStageName',
        from.range,
        `Duplicate stage name ${quote(from.alias)}, stage names should be unique`,
      );
    seen.add(from.alias);
  }
}

function lintCasing(stages: readonly StageText[], lint: Linter): void {
  const all = stages.flatMap((stage) => [stage.from, ...stage.instructions]);
  const lower = all.filter(({ name }) => name === name.toLowerCase()).length;
  const upper = all.filter(({ name }) => name !== name.toLowerCase() && name === name.toUpperCase()).length;
  const right = lower > upper ? 'lowercase' : 'uppercase';
  for (const { name, range } of all)
    if (name !== (right === 'lowercase' ? name.toLowerCase() : name.toUpperCase()))
      lint.report(
        'ConsistentInstructionCasing',
        range,
        `Command '${name}' should match the case of the command majority (${right})`,
      );
}
