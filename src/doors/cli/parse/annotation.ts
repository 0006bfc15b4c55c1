import { formatPlatform, parsePlatform } from '../../../image/index.ts';
import type { Platform } from '../../../blob/index.ts';
import type { ImageMetadata } from '../../../engine/index.ts';
import { usage } from '../errors.ts';

export type Annotation = ImageMetadata['annotations'][number];
type Level = Annotation['level'];

const LEVELS: readonly Level[] = ['manifest', 'index', 'manifest-descriptor', 'index-descriptor'];
const REMEDY = `Write key=value, or level:key=value with one of the levels ${LEVELS.join(', ')}.`;

/**
 * `[level[platform],...:]key=value` (buildx util/buildflags). Without a level it is the manifest's. A platform in square brackets narrows it to an image for that platform.
 */
export function annotationsOf(text: string, o: { readonly platforms: readonly Platform[] }): Annotation[] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usage(`read --annotation "${text}": there is no key and value`, REMEDY);
  const value = text.slice(equals + 1);
  const head = text.slice(0, equals);
  const colon = head.indexOf(':');
  if (colon < 0) return [{ level: 'manifest', key: head, value }];
  const key = head.slice(colon + 1);
  if (key === '') throw usage(`read --annotation "${text}": the key is missing`, REMEDY);
  return head
    .slice(0, colon)
    .split(',')
    .flatMap((part) => {
      const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(part);
      const level = LEVELS.find((one) => one === match?.[1]);
      if (!level) throw usage(`read --annotation "${text}": there is no level "${part}"`, REMEDY);
      const platform = match?.[2] === undefined ? undefined : parsePlatform(match[2]);
      if (platform === undefined) return [{ level, key, value }];
      return isWanted(platform, o.platforms) ? [{ level, key, value, platform }] : [];
    });
}

/** `annotation.key`, `annotation-LEVEL.key`, `annotation[platform].key`: how outputs name annotations (BuildKit exptypes/annotations). Undefined for any other key. */
export function annotationKey(
  name: string,
  o: { readonly platforms: readonly Platform[] },
): (Omit<Annotation, 'value'> & { readonly wanted: boolean }) | undefined {
  const match = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(.+)$/.exec(name);
  if (!match) return undefined;
  const level = LEVELS.find((one) => one === (match[1] ?? 'manifest'));
  if (!level) throw usage(`read output attribute "${name}": there is no level "${match[1]}"`, REMEDY);
  const key = match[3] ?? '';
  if (match[2] === undefined) return { level, key, wanted: true };
  const platform = parsePlatform(match[2]);
  return { level, key, platform, wanted: isWanted(platform, o.platforms) };
}

function isWanted(one: Platform, platforms: readonly Platform[]): boolean {
  const wanted = formatPlatform(one);
  return platforms.some((platform) => formatPlatform(platform) === wanted);
}
