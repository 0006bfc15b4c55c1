import { parsePlatform, hostPlatform } from '../../../image/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { usage } from '../errors.ts';

/** Files with what TLS needs (PEM), and the name that the server's certificate has where that is not its address. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
}

/** A daemon that builds: where it is, how it is reached, what it builds for. */
export interface Endpoint {
  /** As people know it. */
  readonly name: string;
  readonly place:
    /** BuildKit's API, or a Docker daemon with its own BuildKit. `address`: unix:///… or tcp://…:…. */
    | { readonly kind: 'buildkit' | 'docker'; readonly address: string }
    /** The BuildKit in a container of a Docker daemon. */
    | { readonly kind: 'container'; readonly container: string; readonly docker: string | undefined };
  readonly tls?: TlsFiles | undefined;
  /** It builds only for these. Empty: for what it says. */
  readonly platforms: readonly Platform[];
}

const SCHEMES: Readonly<Record<string, 'buildkit' | 'docker'>> = {
  buildkit: 'buildkit',
  strake: 'buildkit',
  docker: 'docker',
};

/** Docker's usual socket. */
export const DOCKER_SOCKET = 'unix:///var/run/docker.sock';

/**
 * Reads an address: `buildkit+unix:///PATH`, `buildkit+tcp://HOST:PORT`, the same with `strake+` or `docker+`, `docker://` (DOCKER_HOST, or the usual socket), and as buildx writes them `unix://…` and `tcp://…`. Undefined for what is a
 * name. Throws `USAGE`.
 */
export function parseEndpoint(
  text: string,
  o: { readonly env: Readonly<Record<string, string | undefined>>; readonly tls?: TlsFiles | undefined },
): Endpoint | undefined {
  const made = (kind: 'buildkit' | 'docker', address: string): Endpoint => ({
    name: text,
    place: { kind, address },
    tls: o.tls,
    platforms: [],
  });
  if (text === 'docker://') return made('docker', o.env['DOCKER_HOST'] || DOCKER_SOCKET);
  const [, scheme, transport] = /^([a-z]+)\+([a-z]+):\/\//.exec(text) ?? [];
  if (scheme !== undefined) {
    const kind = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
    if (!kind || (transport !== 'unix' && transport !== 'tcp'))
      throw usage(`read the address "${text}": there is no "${scheme}+${transport}"`, FORMS);
    return made(kind, text.slice(scheme.length + 1));
  }
  if (/^(?:unix|tcp):\/\//.test(text)) return made('buildkit', text);
  if (text.includes('://')) throw usage(`read the address "${text}": it is of no kind that can be built on`, FORMS);
  return undefined;
}

const FORMS = 'Write buildkit+unix:///PATH, buildkit+tcp://HOST:PORT, docker:// or the name of a node.';

/** `linux/amd64,linux/arm64`. Throws `PLATFORM_INVALID`. */
export function platformsOf(texts: readonly string[]): readonly Platform[] {
  return texts
    .flatMap((text) => text.split(','))
    .filter((text) => text.trim() !== '')
    .map((text) => parsePlatform(text.trim(), hostPlatform(process)));
}
