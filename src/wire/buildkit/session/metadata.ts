import type { Metadata } from '../../grpc/index.ts';

/** Headers of a call as BuildKit encodes them: values with anything that is not plain ASCII are percent-encoded, all of a header's at once, which `NAME-encoded: 1` tells. */
export function encodeHeaders(headers: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  const out: Record<string, readonly string[]> = {};
  for (const [name, values] of Object.entries(headers)) {
    if (values.length === 0) continue;
    const plain = values.every((value) => /^(?:[!-~](?:[ -~]*[!-~])?)?$/.test(value));
    out[name] = plain ? values : values.map((value) => encodeURIComponent(value.toWellFormed()));
    if (!plain) out[`${name}-encoded`] = ['1'];
  }
  return out;
}

/** The values of a header, decoded. */
export function decodeHeader(name: string, headers: Metadata): readonly string[] {
  const values = headers.all(name);
  const encoded = headers.get(`${name}-encoded`);
  if (encoded === undefined || !/^(?:1|t|true)$/i.test(encoded)) return values;
  return values.map((value) => {
    try {
      // Go's QueryEscape writes a space as "+".
      return decodeURIComponent(value.replaceAll('+', ' '));
    } catch {
      return value;
    }
  });
}
