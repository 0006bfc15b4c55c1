import type { Io } from '../cli/index.ts';
import type { ParsedFlags } from './parse-flags.ts';

/** A line as pack's warnings. */
export function tell(text: string, io: Io): void {
  io.stderr.write(`${io.errStyle.yellow('Warning')}: ${text}\n`);
}

/** How progress is shown. */
export function progress({ values }: ParsedFlags): readonly string[] {
  if (values.get('quiet')?.at(-1) === 'true') return ['--quiet'];
  return values.get('verbose')?.at(-1) === 'true' ? ['--progress=plain'] : [];
}
