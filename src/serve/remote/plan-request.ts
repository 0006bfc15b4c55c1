import type { Wait } from '../../base/index.ts';
import type { Platform } from '../../blob/index.ts';
import type { BuildInput } from '../../engine/index.ts';
import type { Frontend, Plan, PlannedImage } from '../../frontend/index.ts';
import type { BridgeHost } from './bridge-host.ts';
import { remoteError } from './errors.ts';

/** The plan of a build, after those of the builds that are its inputs. */
export async function planRequest(
  request: BuildInput,
  o: {
    readonly host: BridgeHost;
    readonly frontends: Readonly<Record<string, Frontend>>;
    /** What the daemon's steps run on. */
    readonly native: Platform;
    readonly epoch?: number | undefined;
  } & Wait,
): Promise<Plan> {
  const { host, frontends, native } = o;
  const { frontend, options, platforms, inputs = {} } = request;
  const plan = Object.hasOwn(frontends, frontend) ? frontends[frontend] : undefined;
  if (!plan)
    throw remoteError('REMOTE_UNSUPPORTED', `build with frontend "${frontend}": there is no such frontend`, {
      remedy: `Use one of: ${Object.keys(frontends).join(', ')}.`,
    });
  const images = new Map<string, PlannedImage>();
  for (const [name, input] of Object.entries(inputs)) {
    const { results } = await planRequest(input, o);
    for (const [platform, image] of results) {
      images.set(`${name}::${platform}`, image);
      if (results.size === 1) images.set(name, image);
    }
  }
  return plan(
    { options, platforms: platforms.length > 0 ? platforms : [native], buildPlatform: native, epoch: o.epoch },
    images.size > 0 ? host.withInputs(images) : host,
    { signal: o.signal },
  );
}
