import type { Bytes } from '../base/index.ts';

/** One paragraph of a control file: field names in lower case. Continuation lines are joined by "\n" with their first blank removed. */
export type Stanza = ReadonlyMap<string, string>;

/** A paragraph of RFC 822-like text (deb822(5)). Comment lines are skipped; a line that is neither field nor continuation is ignored. */
export function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  let name: string | undefined;
  for (let at = 0; at < text.length;) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(at);
    if (first === SPACE || first === TAB) {
      if (name !== undefined) fields.set(name, `${fields.get(name) ?? ''}\n${text.slice(at + 1, end).trimEnd()}`);
    } else if (first !== HASH && end > at) {
      const colon = text.indexOf(':', at);
      if (colon > at && colon < end) {
        name = text.slice(at, colon).trimEnd().toLowerCase();
        fields.set(name, text.slice(colon + 1, end).trim());
      } else name = undefined;
    }
    at = end + 1;
  }
  return fields;
}

/** All paragraphs of a text that is at hand. */
export function parseStanzas(text: string): Stanza[] {
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n(?:[ \t]*\n)+/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

/** The raw paragraphs of a stream, as bytes without their ending newline; memory is bounded by the longest paragraph. Paragraphs end at an empty line. */
export async function* splitParagraphs(content: Bytes): AsyncIterable<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of content) {
    const data =
      rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([rest, chunk]);
    const found: Buffer[] = [];
    let at = 0;
    for (;;) {
      const end = data.indexOf('\n\n', at, 'latin1');
      if (end < 0) break;
      if (end > at) found.push(data.subarray(at, end));
      at = end + 2;
    }
    rest = data.subarray(at);
    if (found.length > 0) yield found;
  }
  while (rest.length > 0 && rest.at(-1) === NEWLINE) rest = rest.subarray(0, -1);
  if (rest.length > 0) yield [rest];
}

/** The lines of a folded field after its first, without blank ones. */
export function foldedLines(value: string | undefined): string[] {
  return (value ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
const NEWLINE = 0x0a;
