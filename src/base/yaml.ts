import { CodedError, messageOf } from './error.ts';

/** Aliases that may stand for one anchor's content before it is taken for an attack on the memory. */
const MAX_ALIASES = 1000;

/**
 * A YAML 1.2 document as plain data: maps are objects (keys as text), merge keys (`<<`) are resolved. The library is loaded when the first document is read. Throws `INVALID_YAML` with the place for what does not parse and for more
 * than one document.
 */
export async function parseYaml(text: string, file: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: 'error',
  });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw invalid(file, error.message, {
      cause: error,
      place: { file, line, column: col, text: text.split('\n')[line - 1] },
    });
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (cause) {
    throw invalid(file, messageOf(cause), { cause });
  }
}

function invalid(
  file: string,
  detail: string,
  o: { readonly cause: unknown; readonly place?: CodedError['place'] },
): CodedError {
  return new CodedError({ code: 'INVALID_YAML', kind: 'invalid', message: `read "${file}": ${detail}`, ...o });
}

/** Plain data as a YAML document; members that are undefined are left out. */
export async function encodeYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}
