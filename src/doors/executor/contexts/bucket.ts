import { executorError } from '../errors.ts';

/** What kaniko looks for in a bucket when no object is named. */
const USUAL = 'context.tar.gz';

/** `scheme://bucket/object`: bucket and object. Throws `CONTEXT_INVALID`. */
export function bucketPlace(text: string): { readonly bucket: string; readonly object: string } {
  const match = /^[a-z0-9]+:\/\/([^/?#]+)(?:\/(.*))?$/s.exec(text);
  if (!match?.[1])
    throw executorError('CONTEXT_INVALID', `read the context "${text}": it names no bucket`, {
      remedy: 'Write s3://bucket/path/context.tar.gz, or gs:// for Google.',
    });
  return { bucket: match[1], object: decoded(match[2] ?? '') || USUAL };
}

/** As Go's url.Parse has the path: percent signs decoded where they can be. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
