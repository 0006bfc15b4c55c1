import { notSupportedYet } from './errors.ts';
import { trimLeft } from './go-text.ts';
import type { Range, SourceText } from './text.ts';

const OWN = /^(?:(?:index\.)?docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/;
const DIRECTIVE = /^syntax[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*$/i;

/** A frontend asked for by the text itself: `# syntax=`, `// syntax=`, or a JSON object with `syntax`, after an optional `#!` line. */
export function detectSyntax(source: SourceText): { readonly reference: string; readonly range: Range } | undefined {
  const first = source.lines[0]?.startsWith('#!') === true ? 1 : 0;
  for (const comment of ['#', '//'])
    for (const [index, raw] of source.lines.entries()) {
      if (index < first) continue;
      const line = raw.replace(/[\r\n]+$/, '');
      const text = line.startsWith(comment) ? trimLeft(line.slice(comment.length)) : '';
      const value = DIRECTIVE.exec(text)?.[1];
      if (value !== undefined) return { reference: value.split(' ')[0] ?? '', range: source.lineRange(index + 1) };
      if (!/^(?:escape|check)[\t\n\f\r ]*=/i.test(text)) break;
    }
  const reference = jsonSyntax(source.lines.slice(first).join(''));
  return reference === undefined ? undefined : { reference, range: source.lineRange(first + 1) };
}

function jsonSyntax(text: string): string | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text) as { readonly syntax?: unknown };
    return typeof value.syntax === 'string' ? value.syntax : undefined;
  } catch {
    return undefined;
  }
}

/** Refuses a frontend that is not this one under another name (facts 1.5). `asked` is BUILDKIT_SYNTAX, which beats the text. */
export function checkSyntax(source: SourceText, asked: string | undefined): void {
  const found = detectSyntax(source);
  const reference = asked?.split(' ')[0] ?? found?.reference;
  if (reference === undefined || reference === 'dockerfile.v0' || OWN.test(reference)) return;
  const place = asked === undefined && found !== undefined ? source.place(found.range) : undefined;
  throw notSupportedYet(
    `frontend "${reference}"`,
    place,
    'Remove the syntax directive, or use docker/dockerfile, which is built in.',
  );
}
