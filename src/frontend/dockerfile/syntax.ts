import type { SourcePlace } from '../../base/index.ts';
import { trimLeft } from './go-text.ts';
import type { Range, SourceText } from './text.ts';

const OWN = /^(?:(?:index\.)?docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/;
const DIRECTIVE = /^syntax[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*$/i;

/** A frontend asked for by the text itself: `# syntax=`, `// syntax=`, or a JSON object with `syntax`, after an optional `#!` line. */
export function detectSyntax(
  source: SourceText,
): { readonly reference: string; readonly cmdline: string; readonly range: Range } | undefined {
  const first = source.lines[0]?.startsWith('#!') === true ? 1 : 0;
  for (const comment of ['#', '//'])
    for (const [index, raw] of source.lines.entries()) {
      if (index < first) continue;
      const line = raw.replace(/[\r\n]+$/, '');
      const text = line.startsWith(comment) ? trimLeft(line.slice(comment.length)) : '';
      const value = DIRECTIVE.exec(text)?.[1];
      if (value !== undefined) return { ...named(value), range: source.lineRange(index + 1) };
      if (!/^(?:escape|check)[\t\n\f\r ]*=/i.test(text)) break;
    }
  const value = jsonSyntax(source.lines.slice(first).join(''));
  return value === undefined ? undefined : { ...named(value), range: source.lineRange(first + 1) };
}

const named = (cmdline: string): { readonly reference: string; readonly cmdline: string } => ({
  reference: cmdline.split(' ')[0] ?? '',
  cmdline,
});

function jsonSyntax(text: string): string | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text) as { readonly syntax?: unknown };
    return typeof value.syntax === 'string' ? value.syntax : undefined;
  } catch {
    return undefined;
  }
}

/** A frontend to be called in place of this one. */
export interface ForeignFrontend {
  readonly reference: string;
  /** All of what was asked for: the reference and what follows it. */
  readonly cmdline: string;
  /** Where the text asks for it; undefined for BUILDKIT_SYNTAX, which beats the text. */
  readonly place: SourcePlace | undefined;
}

/** The frontend that the text or BUILDKIT_SYNTAX asks for (facts 1.5); undefined for this one under any name. */
export function foreignFrontend(source: SourceText, asked: string | undefined): ForeignFrontend | undefined {
  const found = asked === undefined ? detectSyntax(source) : undefined;
  const cmdline = asked ?? found?.cmdline;
  const reference = cmdline?.split(' ')[0];
  if (cmdline === undefined || reference === undefined || reference === 'dockerfile.v0' || OWN.test(reference))
    return undefined;
  return { reference, cmdline, place: found && source.place(found.range) };
}
