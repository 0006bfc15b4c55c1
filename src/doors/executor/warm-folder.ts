import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { kindOf, makeFolder, messageOf, tempFolder, type Clock, type Random, type Wait } from '../../base/index.ts';
import { digestOf, type Digest, type Platform } from '../../blob/index.ts';
import { canonicalReference, parseReference, writeLayout, type Image } from '../../image/index.ts';
import type { RegistryClient } from '../../registry/index.ts';
import type { Log } from './log.ts';
import { nameOf } from './digest-files.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';

/** An image of a folder of base images. */
export interface WarmImage {
  readonly digest: Digest;
  readonly folder: string;
  /** As `index.docker.io/library/debian:12`. */
  readonly name: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What `warmer` left in a folder, kaniko's (1.28) or ours: an OCI layout for each image, named by the digest of its manifest. What is no such thing is passed over. */
export function warmImages(folder: string): readonly WarmImage[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^sha256:[0-9a-f]{64}$/.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      try {
        const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as {
          manifests?: readonly { annotations?: Readonly<Record<string, string>> }[];
        };
        const called = index.manifests?.[0]?.annotations?.[REF_NAME];
        return [{ digest: name as Digest, folder: path, name: called, at: statSync(path).mtimeMs }];
      } catch {
        return [];
      }
    });
}

/** Puts an image into the folder; it is there with all it has, or not at all. */
export async function warm(
  image: Image,
  o: { readonly folder: string; readonly reference: string; readonly digest: Digest; readonly random: Random } & Wait,
): Promise<void> {
  makeFolder(o.folder, 0o755);
  using temporary = tempFolder(o.folder, o.random);
  const layout = join(temporary.path, 'layout');
  await writeLayout(layout, [{ image, refs: [fullName(o.reference)] }], { random: o.random, signal: o.signal });
  const place = join(o.folder, o.digest);
  // One that is there is moved away first: a folder that is not empty cannot be replaced.
  if (existsSync(place)) renameSync(place, join(temporary.path, 'old'));
  try {
    renameSync(layout, place);
  } catch (error) {
    // Somebody else brought the same image meanwhile.
    if (!existsSync(place)) throw error;
    rmSync(layout, { recursive: true, force: true });
  }
}

/** References by the names that go-containerregistry gives them. */
export function fullName(reference: string): string {
  const { digest } = parseReference(reference);
  return digest === undefined ? nameOf(reference, true) : `${nameOf(reference, false)}@${digest}`;
}

/** The digest of the image that a name means now at its registry. */
export async function digestNow(
  reference: string,
  o: { readonly client: RegistryClient; readonly platform: Platform } & Wait,
): Promise<{ readonly image: Image; readonly digest: Digest }> {
  const image = await o.client.image(parseReference(reference), { platform: o.platform, signal: o.signal });
  return { image, digest: digestOf(await image.manifest({ signal: o.signal })) };
}

/**
 * Which of these references the folder has. As in kaniko the registry is asked what a name means now and an entry of another digest is no match; where it cannot be asked, the newest entry of that name is.
 */
export async function warmedOf(
  references: readonly string[],
  o: {
    readonly folder: string;
    /** Milliseconds after which an entry is no longer used. */
    readonly ttl: number;
    readonly clock: Clock;
    readonly client: RegistryClient;
    readonly platform: Platform;
    readonly log: Log;
  } & Wait,
): Promise<ReadonlyMap<string, WarmImage>> {
  const fresh = warmImages(o.folder).filter((image) => {
    if (image.at + o.ttl >= o.clock.now()) return true;
    o.log.debug(`Cached image is too old: ${image.folder}`);
    return false;
  });
  const found = new Map<string, WarmImage>();
  for (const reference of references) {
    const pinned = parseReference(reference).digest;
    const named = fresh.filter(({ name, digest }) => digest === pinned || name === fullName(reference));
    if (named.length === 0) continue;
    const hit = named.find(({ digest }) => digest === pinned) ?? (await current(reference, named, o));
    if (!hit) continue;
    o.log.info(`Found ${hit.digest} in local cache`);
    found.set(canonicalReference(parseReference(reference)), hit);
  }
  return found;
}

async function current(
  reference: string,
  named: readonly WarmImage[],
  o: Parameters<typeof warmedOf>[1],
): Promise<WarmImage | undefined> {
  try {
    const { digest } = await digestNow(reference, o);
    return named.find((image) => image.digest === digest);
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    o.log.warn(`cannot ask what ${reference} is now (${messageOf(error)}): using what is in ${o.folder}`);
    return named.toSorted((a, b) => b.at - a.at)[0];
  }
}
