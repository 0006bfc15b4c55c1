import { usage } from '../errors.ts';

/** The fields of one CSV line, as Go's encoding/csv reads it: a field in double quotes may hold commas and doubled quotes. */
export function csvFields(text: string, what: string): string[] {
  const fields: string[] = [];
  const bad = (): Error =>
    usage(`read ${what} "${text}": a double quote is out of place`, 'Quote a whole field, as "key=a,b".');
  let at = 0;
  for (;;) {
    let field = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw bad();
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') {
          field += '"';
          at += 1;
        } else break;
      }
      at += 1;
      if (at < text.length && text[at] !== ',') throw bad();
    } else {
      const end = text.indexOf(',', at);
      field = text.slice(at, end < 0 ? text.length : end);
      if (field.includes('"')) throw bad();
      at += field.length;
    }
    fields.push(field);
    if (at >= text.length) return fields;
    at += 1;
  }
}

/** One CSV line of these fields. */
export function csvLine(fields: readonly string[]): string {
  return fields.map((field) => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

/** `key=value` fields, keys in lower case; a field without "=" is an error. */
export function csvPairs(text: string, what: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const field of csvFields(text, what)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw usage(`read ${what} "${text}": "${field}" is not of the form key=value`);
    pairs.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  return pairs;
}
