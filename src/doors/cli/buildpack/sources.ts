import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HttpClient, messageOf, redactUrl, type Wait } from '../../../base/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import { resolveRegistered, type ModuleSources, type RegistryIndex } from '../../../frontend/buildpack/index.ts';
import type { Image, Index } from '../../../image/index.ts';
import { cliError, usage } from '../errors.ts';
import type { CliContext } from '../command.ts';
import { openIndex, registriesOf } from './registries.ts';
import { PULL_POLICIES } from './flags.ts';
import { readUserConfig } from './user-config.ts';

export type PullPolicy = (typeof PULL_POLICIES)[number];

/** The policy of a flag, of the user's configuration, or `if-not-present`. */
export function pullPolicyOf(flag: string | undefined, c: CliContext): PullPolicy {
  const text = flag ?? readUserConfig(c.io).pullPolicy ?? 'if-not-present';
  const policy = PULL_POLICIES.find((one) => one === text);
  if (policy === undefined)
    throw usage(`read pull policy "${text}": there is no such value`, `Use one of: ${PULL_POLICIES.join(', ')}.`);
  return policy;
}

/** Where images and modules that are named come from. */
export interface Sources extends ModuleSources {
  image(reference: string): Promise<Image | Index>;
}

/** Images come from the local store and registries as the policy says, from registries alone where `remote`; an OCI layout is named `oci:FOLDER`. */
export function openSources(
  c: CliContext,
  o: {
    shop: Pick<Workshop, 'has' | 'open' | 'scratch'>;
    policy: PullPolicy;
    registry?: string | undefined;
    remote?: boolean | undefined;
  },
): Sources {
  const { shop, policy } = o;
  const wait: Wait = { signal: c.signal };
  let indexes: Promise<readonly RegistryIndex[]> | undefined;
  let files = 0;
  const image = async (reference: string): Promise<Image | Index> => {
    if (/^(?:oci|oci-archive|docker-archive|store):/.test(reference)) return shop.open(reference, wait);
    const isHere = o.remote !== true && shop.has(reference);
    if (isHere && policy !== 'always') return shop.open(`store:${reference}`, wait);
    if (policy === 'never' && o.remote !== true) return shop.open(`store:${reference}`, wait);
    try {
      const found = await shop.open(`docker://${reference}`, wait);
      // Asked now, so that what is not there is noticed while the local one can still be taken.
      await found.manifest(wait);
      return found;
    } catch (error) {
      if (!isHere || c.signal.aborted) throw error;
      c.io.stderr.write(`${c.io.errStyle.yellow('warning')}: the local "${reference}" is used: ${messageOf(error)}\n`);
      return shop.open(`store:${reference}`, wait);
    }
  };
  return {
    image,
    download: async (url) => {
      files += 1;
      return download(url, { ...wait, path: join(shop.scratch, `download-${files}`) });
    },
    registered: async (wanted) => {
      indexes ??= Promise.all(
        registriesOf(readUserConfig(c.io), o.registry).map(async (one) => lazyIndex(one.name, () => openIndex(one, c))),
      );
      return resolveRegistered(wanted, await indexes, wait);
    },
  };
}

/** An index that is opened when it is first asked. */
function lazyIndex(name: string, open: () => Promise<RegistryIndex>): RegistryIndex {
  let opened: Promise<RegistryIndex> | undefined;
  return { name, lines: async (namespace, one, w) => (await (opened ??= open())).lines(namespace, one, w) };
}

/** Brings what is at a URL into a file; redirects are followed, but not from TLS to none. */
async function download(url: string, o: { path: string } & Wait): Promise<string> {
  await using client = new HttpClient();
  let target = new URL(url);
  for (let hop = 0; hop <= 10; hop++) {
    const fail = (detail: string, cause?: unknown): Error =>
      cliError('DOWNLOAD_FAILED', `fetch "${redactUrl(target)}": ${detail}`, { cause });
    await using answer = await client.request({ method: 'GET', url: target, signal: o.signal });
    const { location } = answer.headers;
    if (answer.status >= 300 && answer.status < 400 && location !== undefined) {
      const next = new URL(location, target);
      if (target.protocol === 'https:' && next.protocol !== 'https:') throw fail('it redirects to what is not TLS');
      target = next;
      continue;
    }
    if (answer.status !== 200) throw fail(`status ${answer.status}`);
    await pipeline(answer.body, createWriteStream(o.path), { signal: o.signal });
    return o.path;
  }
  throw cliError('DOWNLOAD_FAILED', `fetch "${redactUrl(url)}": more than 10 redirects`);
}
