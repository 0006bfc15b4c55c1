import { packError } from './errors.ts';
import type { Flag } from './flag.ts';
import type { ParsedFlags } from './parse-flags.ts';

/** Those of the flags that strake's command takes as they are, and a line for each that has no effect. Throws `PACK_UNSUPPORTED` for one that is refused. */
export function passedOn(
  { values }: ParsedFlags,
  flags: readonly Flag[],
): { readonly argv: readonly string[]; readonly notes: readonly string[] } {
  const argv: string[] = [];
  const notes: string[] = [];
  for (const { name, kind, standing, note, to } of flags) {
    const given = values.get(name) ?? [];
    if (given.length === 0 || (kind === 'bool' && given.at(-1) === 'false')) continue;
    if (standing === 'refused') throw packError('PACK_UNSUPPORTED', `use --${name}: ${note ?? ''}`);
    if (standing === 'accepted') notes.push(`--${name} has no effect: ${note ?? ''}`);
    if (to === undefined) continue;
    const flag = to === 'same' ? `--${name}` : to;
    if (kind === 'bool') argv.push(flag);
    else for (const value of kind === 'text' ? given.slice(-1) : given) argv.push(`${flag}=${value}`);
  }
  return { argv, notes };
}
