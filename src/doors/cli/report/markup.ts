/** Markup that needs no more escaping. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | undefined | false | Markup | readonly Part[];

/** Markup with its values escaped, wherever they stand: as text or in a quoted attribute. Undefined and false are nothing, and lines of the template are not indented. */
export function markup(strings: TemplateStringsArray, ...values: readonly Part[]): Markup {
  const pieces = strings.map((piece) => piece.replaceAll(/\n +/g, '\n'));
  return new Markup(pieces.reduce((text, piece, at) => text + flat(values[at - 1]) + piece));
}

function flat(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(flat).join('');
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => ENTITIES[mark] ?? mark);
}

/** JSON for a script element: nothing in it ends the element or begins a comment. */
export function scriptJson(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replaceAll('<', String.raw`\u003c`));
}
