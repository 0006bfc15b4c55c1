import { drain, HttpClient, withoutSecrets } from '../../../base/index.ts';
import { usage } from '../errors.ts';

/** Milliseconds that a collector has for its answer. */
const PATIENCE = 10_000;

/** OTLP/HTTP (OTLP specification): spans as JSON, or as the bytes of their message. Throws what came in the way. */
export async function sendSpans(
  body: Uint8Array,
  o: {
    readonly url: URL;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly type: 'application/json' | 'application/x-protobuf';
  },
): Promise<void> {
  await using client = new HttpClient({ env: o.env });
  await using response = await client.request({
    method: 'POST',
    url: o.url,
    headers: {
      'content-type': o.type,
      'content-length': `${body.length}`,
      ...headersOf(o.env['OTEL_EXPORTER_OTLP_TRACES_HEADERS'] ?? o.env['OTEL_EXPORTER_OTLP_HEADERS']),
    },
    body,
    idleTimeout: PATIENCE,
    // The build may be over because its signal was given: this is still told.
    signal: AbortSignal.timeout(PATIENCE),
  });
  await drain(response.body);
  if (response.status < 200 || response.status > 299) throw new Error(`it answers with status ${response.status}`);
}

/** The address for traces below a collector's, unless it is that already. Throws `USAGE`. */
export function tracesUrl(text: string, what: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw usage(
      `read ${what} "${withoutSecrets(text)}": it is no http or https address`,
      'Name a collector, as http://localhost:4318.',
    );
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url;
}

/** `name=value,…`, values percent-encoded (OpenTelemetry Protocol Exporter, Specifying headers). What is none of that is passed over. */
function headersOf(text = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(0, at)).trim().toLowerCase();
    if (!/^[\w!#$%&'*+.^|~-]+$/.test(name)) continue;
    try {
      found[name] = decodeURIComponent(part.slice(at + 1).trim());
    } catch {
      // Not percent-encoded as it should be.
    }
  }
  return found;
}
