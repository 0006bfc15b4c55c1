import type { SourcePlace } from '../base/index.ts';
import type { StatusError } from '../wire/grpc/index.ts';

interface Said {
  readonly info?: { readonly filename?: string; readonly data?: string };
  readonly ranges?: readonly {
    readonly start?: { readonly line?: number };
    readonly end?: { readonly line?: number };
  }[];
}

/** The place in what a person wrote that a status of BuildKit's names (errdefs.Source, as JSON). */
export function placeOf(status: StatusError): SourcePlace | undefined {
  for (const { typeUrl, value } of status.details) {
    if (!typeUrl.endsWith('errdefs.Source+json')) continue;
    const said = parsed(value);
    const range = said?.ranges?.[0];
    const line = range?.start?.line;
    const file = said?.info?.filename;
    if (file === undefined || line === undefined) continue;
    const endLine = range?.end?.line ?? line;
    const lines = Buffer.from(said?.info?.data ?? '', 'base64')
      .toString()
      .split('\n');
    return { file, line, endLine, text: lines.slice(line - 1, endLine).join('\n') };
  }
  return undefined;
}

function parsed(value: Uint8Array): Said | undefined {
  try {
    return JSON.parse(Buffer.from(value).toString()) as Said;
  } catch {
    return undefined;
  }
}
