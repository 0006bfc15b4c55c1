import { Code, StatusError } from '../wire/grpc/index.ts';
import { gatewayError } from './errors.ts';
import type { FrontendImage } from './frontend-image.ts';

const INPUTS = 'moby.buildkit.frontend.inputs';
const SUBREQUESTS = 'moby.buildkit.frontend.subrequests';

/** Throws `FRONTEND_UNSUPPORTED`, told to BuildKit's clients as they know it, for a frontend that cannot do what is asked: its label says what it can. */
export function checkFrontendCaps(
  { name, config }: FrontendImage,
  o: { readonly options: Readonly<Record<string, string>>; readonly inputs: boolean },
): void {
  const can = capsIn(config.Labels?.['moby.buildkit.frontend.caps']);
  const wanted = capsIn(o.options['frontend.caps']);
  if (o.inputs) wanted.add(INPUTS);
  // A frontend that does not know the question would build.
  if (o.options['requestid']) wanted.add(SUBREQUESTS);
  const missing = [...wanted].find((cap) => !can.has(cap));
  if (missing === undefined) return;
  const message = `run frontend "${name}": unsupported frontend capability ${missing}`;
  const typeUrl = 'github.com/moby/buildkit/errdefs.FrontendCap+json';
  const details = [{ typeUrl, value: Buffer.from(JSON.stringify({ name: missing })) }];
  throw gatewayError('FRONTEND_UNSUPPORTED', message, {
    cause: new StatusError(Code.Unimplemented, message, { details }),
    remedy: 'Ask for less, or use a frontend whose label "moby.buildkit.frontend.caps" names it.',
  });
}

/** Names, separated by commas; what follows a "+" says how. */
function capsIn(text = ''): Set<string> {
  return new Set(text.split(',').flatMap((cap) => cap.split('+')[0] || []));
}

/** Whether the frontend's label says that it needs no network. */
export function wantsNoNetwork({ config }: FrontendImage): boolean {
  return /^(?:1|t|true)$/i.test(config.Labels?.['moby.buildkit.frontend.network.none'] ?? '');
}
