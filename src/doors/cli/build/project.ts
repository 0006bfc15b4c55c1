import { join } from 'node:path';
import { withoutSecrets } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import type { Project } from '../../../engine/index.ts';
import { formatPlatform } from '../../../image/index.ts';
import type { BuildContext } from './context.ts';

/** What a build is compared by: builds of the same context, Dockerfile, target and platforms are builds of one project. */
export function projectOf(
  place: string,
  o: {
    readonly context: BuildContext;
    /** `-f`, as given. */
    readonly file?: string | undefined;
    readonly target?: string | undefined;
    readonly platforms: readonly Platform[];
  },
): Project {
  const { folder, dockerfile, isLocal, options } = o.context;
  const own = isLocal && dockerfile !== undefined && o.file !== '-';
  return {
    context: isLocal && folder !== undefined ? folder : withoutSecrets(place.replace(/\?[^#]*/, '')),
    dockerfile: own ? join(dockerfile.folder, dockerfile.name) : (o.file ?? options['filename'] ?? 'Dockerfile'),
    ...(o.target === undefined ? {} : { target: o.target }),
    ...(o.platforms.length === 0 ? {} : { platform: o.platforms.map(formatPlatform).sort().join(',') }),
  };
}
