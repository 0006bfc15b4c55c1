import type { ExportRequest } from '../../../engine/index.ts';
import { COMMANDS } from '../commands/index.ts';
import type { Style } from '../print/style.ts';

/** What one may want to do with what was built, as a few lines; empty where nothing comes to mind. */
export function nextSteps(exports: readonly ExportRequest[], style: Style): string {
  const stored = exports.find((one) => one.type === 'store');
  if (!stored) return '';
  const [name] = stored.names;
  if (name === undefined) return `\n${style.dim('It has no name; give it one with -t NAME to find it again.')}\n`;
  const steps: [line: string, meaning: string][] = [];
  if (COMMANDS.some((command) => command.name === 'run')) steps.push([`strake run ${name}`, 'run it']);
  if (!exports.some(({ type }) => type === 'registry'))
    steps.push([`strake push ${name} registry.example/${name}`, 'bring it to a registry']);
  steps.push(
    [`strake save ${name} -o image.tar`, 'write it to an archive'],
    [`strake history ${name}`, 'see what it is made of'],
  );
  const width = Math.max(...steps.map(([line]) => line.length));
  return `\n${style.bold('Next:')}\n${steps.map(([line, meaning]) => `  ${line.padEnd(width)}   ${style.dim(meaning)}`).join('\n')}\n`;
}
