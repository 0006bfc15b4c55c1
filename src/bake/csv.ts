import { ValueError } from '../hcl/index.ts';

/** The fields of one CSV line; a field in double quotes may hold commas and doubled quotes. Throws `ValueError`. */
export function csvFields(text: string, comma = ','): string[] {
  const fields: string[] = [];
  let at = 0;
  do {
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (at < text.length && text[at] !== comma) throw misplaced(text);
    } else {
      const next = text.indexOf(comma, at);
      const end = next < 0 ? text.length : next;
      const field = text.slice(at, end);
      if (field.includes('"')) throw misplaced(text);
      fields.push(field);
      at = end;
    }
    at += 1;
  } while (at <= text.length);
  return fields;
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) if (text[at + 1] !== '"') return at;
  throw misplaced(text);
}

function misplaced(text: string): Error {
  return new ValueError(`a double quote is out of place in ${JSON.stringify(text)}: quote a whole field, as "key=a,b"`);
}

/** `key=value` as a field of a CSV line. */
export function csvField(key: string, value: string): string {
  const pair = `${key}=${value}`;
  return /[",\n\r]/.test(pair) ? `"${pair.replaceAll('"', '""')}"` : pair;
}
