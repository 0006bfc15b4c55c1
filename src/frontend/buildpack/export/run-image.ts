import { canonicalReference, parseReference, repositoryName } from '../../../image/index.ts';
import type { LifecycleMetadata } from '../model/types.ts';

/** The names that an app image's label has for its run image, the first before its mirrors: `runImage`, or `stack.runImage` of platforms before 0.12. */
export function runImageNames({ runImage, stack }: LifecycleMetadata): string[] {
  const { image, mirrors } = runImage.image ? runImage : (stack?.runImage ?? runImage);
  return image ? [image, ...(mirrors ?? [])] : [];
}

/** All names that a rebase may use without force. */
export function namesOf({ runImage, stack }: LifecycleMetadata): string[] {
  const all = [runImage, ...(stack ? [stack.runImage] : [])].flatMap(({ image, mirrors }) => [
    image,
    ...(mirrors ?? []),
  ]);
  return [...new Set(all.filter((name) => name !== undefined && name !== ''))] as string[];
}

/** The same names, those of `registry` (where the app image goes) first: nearer, and its layers can be mounted (platform.md, Run Image Resolution). */
export function nearestFirst(names: readonly string[], registry: string): string[] {
  const near = names.filter((name) => registryOf(name) === registry);
  return [...near, ...names.filter((name) => !near.includes(name))];
}

/** Two names of one image, whatever digest they have: `debian`, `docker.io/library/debian:latest@sha256:…`. */
export function sameName(a: string, b: string): boolean {
  return plainName(a) === plainName(b);
}

/** `registry/repository@digest`: what the label calls the run image. */
export function digestReference(name: string, digest: string): string {
  return `${repositoryName(parseReference(name))}@${digest}`;
}

function plainName(name: string): string {
  try {
    const { digest: _, ...reference } = parseReference(name);
    return canonicalReference({ ...reference, tag: reference.tag ?? 'latest' });
  } catch {
    return name;
  }
}

function registryOf(name: string): string | undefined {
  try {
    return parseReference(name).registry;
  } catch {
    return undefined;
  }
}
