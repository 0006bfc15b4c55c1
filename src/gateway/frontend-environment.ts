import type { FrontendRequest } from '../frontend/index.ts';
import { formatPlatform } from '../image/index.ts';
import type { WorkerRecord } from '../wire/gen/buildkit/worker_pb.ts';
import type { FrontendImage } from './frontend-image.ts';

/** What BuildKit's clients say when something is too old for a frontend. */
const PRODUCT = 'strake';

/** The environment that frontends are started with (frontend/gateway): the image's, the options one by one, and who builds. */
export function frontendEnvironment(
  { config }: FrontendImage,
  request: FrontendRequest,
  workers: readonly WorkerRecord[],
): readonly string[] {
  const options = frontendOptions(request);
  return [
    ...(config.Env ?? []),
    ...Object.keys(options)
      .sort()
      .map((name, at) => `BUILDKIT_FRONTEND_OPT_${at}=${name}=${options[name] ?? ''}`),
    // Whose files are read is known by the connection; frontends hand it on in their sources.
    'BUILDKIT_SESSION_ID=strake',
    `BUILDKIT_WORKERS=${JSON.stringify(workers.map(workerInfo))}`,
    `BUILDKIT_EXPORTEDPRODUCT=${PRODUCT}`,
  ];
}

/** The options, with what a request of ours says beside them. */
export function frontendOptions({
  options,
  platforms,
  buildPlatform,
  epoch,
}: FrontendRequest): Readonly<Record<string, string>> {
  const wanted = platforms.map(formatPlatform).join(',');
  return {
    ...(epoch !== undefined && { 'build-arg:SOURCE_DATE_EPOCH': String(epoch) }),
    ...(wanted !== '' && wanted !== formatPlatform(buildPlatform) && { platform: wanted }),
    ...options,
  };
}

/** client.WorkerInfo as Go writes it. */
function workerInfo({ ID, Labels, platforms }: WorkerRecord): object {
  return {
    ID,
    Labels,
    Platforms: platforms.map(({ OS, Architecture, Variant }) => ({
      architecture: Architecture,
      os: OS,
      ...(Variant !== '' && { variant: Variant }),
    })),
    GCPolicy: null,
  };
}
