import { parse } from 'smol-toml';
import { CodedError, messageOf } from './error.ts';

/** A TOML document as plain data. Throws `INVALID_TOML` with the place for what does not parse. */
export function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    const { line, column } = error as { line?: number; column?: number };
    throw new CodedError({
      code: 'INVALID_TOML',
      kind: 'invalid',
      message: `read "${file}": ${messageOf(error).split('\n')[0]}`,
      place: line === undefined ? undefined : { file, line, column, text: text.split('\n')[line - 1] },
      cause: error,
    });
  }
}
