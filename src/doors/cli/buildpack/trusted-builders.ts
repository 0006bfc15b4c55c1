import { canonicalReference, parseReference, repositoryName } from '../../../image/index.ts';
import type { UserConfig } from './user-config.ts';

/** Builders that are well known: who makes them, and what they are for. By exactly these names pack trusts them without being told, and so does strake. */
export const KNOWN_BUILDERS: readonly {
  readonly vendor: string;
  readonly image: string;
  readonly about: string;
  readonly suggested: boolean;
}[] = [
  google('gcr.io/buildpacks/builder:google-22', 'Ubuntu 22.04: .NET, Dart, Go, Java, Node.js, PHP, Python, Ruby'),
  heroku('heroku/builder:26', 'Ubuntu 26.04, amd64 and arm64', false),
  heroku('heroku/builder:24', 'Ubuntu 24.04, amd64 and arm64: Go, Java, Node.js, PHP, Python, Ruby, Scala', true),
  heroku('heroku/builder:22', 'Ubuntu 22.04, amd64', false),
  heroku('heroku/builder:20', 'Ubuntu 20.04, amd64', false),
  paketo('builder-jammy-base', 'small: Java, Node.js, Go, .NET, Python, Ruby'),
  paketo('builder-jammy-full', 'larger: as base, and PHP'),
  paketo('builder-jammy-tiny', 'run images without a shell: Go, Java'),
  paketo('builder-jammy-buildpackless-static', 'for static programs, with buildpacks of your own'),
  paketo('ubuntu-noble-builder', 'Ubuntu 24.04: Java, Node.js, .NET'),
  paketo('builder-ubi8-base', 'Universal Base Image 8: Node.js, Java; with extensions'),
  paketo('ubi-9-builder', 'Universal Base Image 9: Node.js'),
  paketo('ubi-10-builder', 'Universal Base Image 10: Node.js'),
];

/** Whether a builder is one that is trusted without being told (by its exact name). */
export function isKnown(name: string): boolean {
  return KNOWN_BUILDERS.some(({ image }) => image === name);
}

/** Whether a builder is trusted: it is known, or the user said so; who names it without a tag means all of its tags. */
export function isTrusted(name: string, config: Pick<UserConfig, 'trustedBuilders'>): boolean {
  return isKnown(name) || config.trustedBuilders.some((trusted) => covers(trusted, name));
}

function covers(trusted: string, name: string): boolean {
  if (trusted === name) return true;
  try {
    const [a, b] = [parseReference(trusted), parseReference(name)];
    const isExact = a.digest !== undefined || /:[^/]+$/.test(trusted);
    return isExact ? canonicalReference(a) === canonicalReference(b) : repositoryName(a) === repositoryName(b);
  } catch {
    return false;
  }
}

function google(image: string, about: string): (typeof KNOWN_BUILDERS)[number] {
  return { vendor: 'Google', image, about, suggested: true };
}

function heroku(image: string, about: string, suggested: boolean): (typeof KNOWN_BUILDERS)[number] {
  return { vendor: 'Heroku', image, about, suggested };
}

function paketo(name: string, about: string): (typeof KNOWN_BUILDERS)[number] {
  return { vendor: 'Paketo Buildpacks', image: `paketobuildpacks/${name}`, about, suggested: true };
}
