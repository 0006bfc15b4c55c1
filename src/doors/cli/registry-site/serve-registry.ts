import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { hasErrno, isLoopback, messageOf, redactUrl, sleep } from '../../../base/index.ts';
import { RegistryClient } from '../../../registry/index.ts';
import { mirroredSettings } from '../buildpack/mirrored.ts';
import { kindOfRegistry, OFFICIAL, openIndex, registriesOf } from '../buildpack/registries.ts';
import { readUserConfig, type RegistryConfig } from '../buildpack/user-config.ts';
import { cliError, usage } from '../errors.ts';
import { durationOf } from '../parse/values.ts';
import type { CliContext } from '../command.ts';
import { lazyCredentials } from '../settings.ts';
import { acceptStop } from '../stop-accepted.ts';
import { Catalog, type CatalogSource } from './catalog.ts';
import { DetailsCache } from './details.ts';
import { readDetails } from './read-details.ts';
import { SiteServer } from './site-server.ts';

export interface ServeFlags {
  readonly listen: string;
  readonly publicUrl?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly refresh: string;
  readonly allowRegister?: boolean;
  readonly tokenFile?: string;
  readonly details: boolean;
}

const SHORTEST_TOKEN = 16;

/** `strake buildpack registry serve`: until it is told to stop, which is its success. */
export async function serveRegistry(places: readonly string[], flags: ServeFlags, c: CliContext): Promise<void> {
  const { io, signal } = c;
  const warn = (message: string): void => io.stderr.write(`${io.errStyle.yellow('warning')}: ${message}\n`);
  const interval = durationOf(flags.refresh, '--refresh');
  if (interval < 1000) throw usage(`read --refresh "${flags.refresh}": it is less than a second`);
  const { host, port } = listenPlace(flags.listen);
  const publicUrl = flags.publicUrl === undefined ? undefined : webAddress(flags.publicUrl, '--public-url');
  const certificate = certificateOf(flags, io.cwd);
  const tokens = tokensOf(flags, io.cwd);
  if (tokens && !certificate && !isLoopback(host) && publicUrl === undefined)
    warn('tokens travel without TLS: give --tls-cert and --tls-key, or let something with TLS stand before it');
  const catalog = new Catalog(sourcesOf(places, c), { clock: io.clock, warn, keep: interval });
  await catalog.refresh({ signal });
  const settings = mirroredSettings(c);
  await using client = new RegistryClient({
    ...settings.registries,
    clock: io.clock,
    random: io.random,
    insecure: [...settings.insecure, ...(settings.registries?.insecure ?? [])],
    credentials: lazyCredentials(io),
  });
  const read = flags.details
    ? (address: string, w: { signal?: AbortSignal | undefined }) => readDetails(address, { client, signal: w.signal })
    : undefined;
  await using details = new DetailsCache(read, { clock: io.clock, warn });
  await using server = await listen({
    site: { catalog, details, tokens },
    host,
    port,
    tls: certificate?.(),
    publicUrl,
    failed: (error, request) => warn(`${request}: ${messageOf(error)}`),
  });
  io.stdout.write(
    `${catalog.registries.map(({ name, kind, buildpacks, listed }) => `Serving registry "${name}" (${kind}), ${listed ? `${buildpacks} buildpacks` : 'which cannot be listed'}\n`).join('')}${server.url}\n`,
  );
  await serveUntilStopped({ ...c, catalog, server, interval, certificate, warn });
  acceptStop(signal);
}

async function serveUntilStopped(
  o: CliContext & {
    readonly catalog: Catalog;
    readonly server: SiteServer;
    readonly interval: number;
    readonly certificate: (() => Certificate) | undefined;
    readonly warn: (message: string) => void;
  },
): Promise<void> {
  const { catalog, server, signal, certificate } = o;
  let last = certificate?.();
  while (!signal.aborted) {
    try {
      await sleep(o.interval, { signal });
      await catalog.refresh({ signal });
      const now = certificate?.();
      if (now && (now.cert !== last?.cert || now.key !== last.key)) server.certify(now);
      last = now;
    } catch (error) {
      // One that is being replaced may not be whole yet.
      if (!signal.aborted) o.warn(messageOf(error));
    }
  }
}

async function listen(o: Parameters<typeof SiteServer.listen>[0]): Promise<SiteServer> {
  try {
    return await SiteServer.listen(o);
  } catch (error) {
    const remedy = hasErrno(error, 'EADDRINUSE')
      ? 'Something listens there already: take another port with --listen.'
      : hasErrno(error, 'EACCES')
        ? 'Take a port above 1023 with --listen.'
        : undefined;
    throw cliError('LISTEN_FAILED', `listen at "${o.host}:${o.port}": ${messageOf(error)}`, { cause: error, remedy });
  }
}

/** What is to be served: configured registries by name, or places. */
function sourcesOf(places: readonly string[], c: CliContext): readonly CatalogSource[] {
  const config = readUserConfig(c.io);
  const registries =
    places.length === 0 ? registriesOf(config, undefined) : places.map((place) => registryAt(place, c));
  const seen = new Set<string>();
  for (const { name } of registries) {
    if (!/^[\w.-]{1,100}$/.test(name))
      throw usage(
        `serve registry "${name}": that may not be its name`,
        'Give it one of letters, digits, "-", "_" and ".": NAME=PLACE.',
      );
    if (seen.has(name))
      throw usage(`serve registry "${name}": there are two of this name`, 'Tell them apart: NAME=PLACE.');
    seen.add(name);
  }
  return registries.map((registry) => {
    const { type } = kindOfRegistry(registry, c.io.cwd);
    const open: CatalogSource['open'] = (w) => openIndex(registry, { ...c, signal: w.signal });
    const isElsewhere = /^(?:https?|git|ssh):\/\//i.test(registry.url);
    return {
      name: registry.name,
      kind: type,
      url: isElsewhere ? redactUrl(registry.url) : undefined,
      // A repository is brought up to date by opening it; the others are read where they are, by one client.
      open: type === 'git' || type === 'github' ? open : once(open),
    };
  });
}

function once(open: CatalogSource['open']): CatalogSource['open'] {
  let opened: ReturnType<CatalogSource['open']> | undefined;
  return (w) => (opened ??= open(w));
}

function registryAt(text: string, c: CliContext): RegistryConfig {
  const config = readUserConfig(c.io);
  const [, given, place = text] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  const known = [...config.registries, OFFICIAL].find(({ name }) => given === undefined && name === text);
  if (known) return known;
  const name = given ?? nameFor(place);
  if (/^https:\/\/github\.com\//i.test(place)) return { name, type: 'github', url: place };
  if (/^(?:git|ssh):\/\/|^[^/]+@[^/]+:/i.test(place) || /^https?:\/\/.*\.git\/?$/i.test(place))
    return { name, type: 'git', url: place };
  if (/^https?:\/\//i.test(place)) return { name, type: 'http', url: webAddress(place, 'the address of a registry') };
  if (!place.startsWith('file://') && !existsSync(resolve(c.io.cwd, place)))
    throw cliError('CONFIG_INVALID', `serve registry "${text}": it is not configured, and there is no such folder`, {
      remedy: `Name a folder, a repository or an address, or one of ${[...config.registries, OFFICIAL].map((one) => one.name).join(', ')}.`,
    });
  // A repository or a plain folder: `kindOfRegistry` looks.
  return { name, type: 'github', url: place };
}

/** The last part of a path, or the host of an address without one. */
function nameFor(place: string): string {
  const path = place.replace(/\/+$/, '').replace(/\.git$/, '');
  const name = basename(path).replaceAll(/[^\w.-]+/g, '-');
  return name === '' || name === '.' || name === '..' ? 'registry' : name;
}

/** `HOST:PORT`, `:PORT` (all addresses), `[::1]:PORT`. */
function listenPlace(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = digits === '' ? Number.NaN : Number(digits);
  if (!(port <= 65_535))
    throw usage(`read --listen "${text}": it is not HOST:PORT`, 'Write it as 127.0.0.1:8080, :8080 or [::1]:8080.');
  return { host: bracketed ?? (plain === '' ? '::' : plain), port };
}

function webAddress(text: string, what: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw usage(`read ${what} "${redactUrl(text)}": it is not an address of the web`);
  return url.href;
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function certificateOf({ tlsCert, tlsKey }: ServeFlags, cwd: string): (() => Certificate) | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw usage('serve with TLS: --tls-cert and --tls-key go together');
  const read = (): Certificate => ({ cert: fileText(tlsCert, cwd), key: fileText(tlsKey, cwd) });
  read();
  return read;
}

/** The tokens, read each time: who is taken out of the file is out at once. */
function tokensOf(
  { allowRegister, tokenFile }: ServeFlags,
  cwd: string,
): (() => Promise<readonly string[]>) | undefined {
  if (allowRegister !== true) {
    if (tokenFile !== undefined) throw usage('serve with --token-file: it needs --allow-register');
    return undefined;
  }
  if (tokenFile === undefined)
    throw usage('serve with --allow-register: it needs --token-file', 'Make one: openssl rand -hex 32 > token');
  const read = (): readonly string[] =>
    fileText(tokenFile, cwd)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  const tokens = read();
  if (tokens.length === 0) throw usage(`read --token-file "${tokenFile}": there is no token in it`);
  if (tokens.some((token) => token.length < SHORTEST_TOKEN || /\s/.test(token)))
    throw usage(
      `read --token-file "${tokenFile}": a token is shorter than ${SHORTEST_TOKEN} characters, or has spaces in it`,
    );
  return async () => read().filter((token) => token.length >= SHORTEST_TOKEN);
}

function fileText(path: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch (error) {
    throw cliError('CONFIG_INVALID', `read "${path}": ${messageOf(error)}`, { cause: error });
  }
}
