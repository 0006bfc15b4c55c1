import { readFileSync, statSync } from 'node:fs';
import { fileBytes, hasCode, messageOf, type Wait } from '../../../base/index.ts';
import { Digester, type Platform } from '../../../blob/index.ts';
import { lifecycleOfTree, type Lifecycle } from '../../../frontend/buildpack/index.ts';
import { archiveTree } from '../../../tree/index.ts';
import { cliError } from '../errors.ts';

/** Where the lifecycle's releases lie, in a folder for each. */
const RELEASES = 'https://github.com/buildpacks/lifecycle/releases/download';
/** What a list of checksums may be long. */
const LIMIT = 1 << 20;

interface Downloading extends Wait {
  readonly platform: Platform;
  /** Brings what is at a URL into a file. */
  readonly download: (url: string) => Promise<string>;
  /** STRAKE_LIFECYCLE_RELEASES names another place with the same files. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly scratch: string;
  readonly warn: (text: string) => void;
}

/** A release of the lifecycle, compared with the checksums that are published beside it. Throws `DOWNLOAD_FAILED` and what reading it throws. */
export async function downloadLifecycle(version: string, o: Downloading): Promise<Lifecycle> {
  const number = version.replace(/^v/, '');
  const { os, architecture } = o.platform;
  const releases = (o.env['STRAKE_LIFECYCLE_RELEASES'] || RELEASES).replace(/\/+$/, '');
  const folder = `${releases}/v${number}`;
  const name = `lifecycle-v${number}+${os}.${architecture === 'amd64' ? 'x86-64' : architecture}.tgz`;
  const url = `${folder}/${name}`;
  const path = await o.download(url);
  const expected = await checksumOf(name, {
    ...o,
    places: [`${folder}/lifecycle-v${number}-checksums.txt`, `${url}.sha256`],
  });
  if (expected !== undefined) await verify(path, { ...o, url, expected });
  else o.warn(`lifecycle ${number} cannot be verified: no checksum is published at "${folder}"`);
  const found = await lifecycleAtArchive(path, { ...o, what: url });
  if (found.version !== number)
    throw cliError('CONFIG_INVALID', `read lifecycle "${url}": it is version ${found.version}, not ${number}`);
  return found;
}

/** The lifecycle at a URL; one that ends with `#sha256=HEX` is compared with that. Throws as `downloadLifecycle` does. */
export async function lifecycleAtUrl(
  url: string,
  o: Omit<Downloading, 'platform' | 'env' | 'warn'>,
): Promise<Lifecycle> {
  const [, address = url, expected] = /^([^#]*)#sha256=([0-9a-f]{64})$/i.exec(url) ?? [];
  const path = await o.download(address);
  if (expected !== undefined) await verify(path, { ...o, url: address, expected: expected.toLowerCase() });
  return lifecycleAtArchive(path, { ...o, what: address });
}

/** The lifecycle of an archive. Throws `CONFIG_INVALID`, `CNB_LIFECYCLE_INVALID`. */
export async function lifecycleAtArchive(
  path: string,
  o: { what: string; scratch: string } & Wait,
): Promise<Lifecycle> {
  const tree = await archiveTree(path, o);
  if (!tree) throw cliError('CONFIG_INVALID', `read lifecycle "${o.what}": it is no archive`);
  return lifecycleOfTree(tree, o);
}

/** What a published list says of a file; undefined where there is none. */
async function checksumOf(
  name: string,
  o: Pick<Downloading, 'download' | 'signal'> & { readonly places: readonly string[] },
): Promise<string | undefined> {
  for (const place of o.places) {
    let path: string;
    try {
      path = await o.download(place);
    } catch (error) {
      if (!hasCode(error, 'DOWNLOAD_FAILED') || !/status 40[34]$/.test(messageOf(error))) throw error;
      continue;
    }
    const text = statSync(path).size > LIMIT ? '' : readFileSync(path, 'utf8');
    for (const line of text.split('\n')) {
      const [, hex = '', file = name] = /^([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(line) ?? [];
      if (hex !== '' && file.slice(file.lastIndexOf('/') + 1) === name) return hex.toLowerCase();
    }
  }
  return undefined;
}

async function verify(path: string, o: { url: string; expected: string } & Wait): Promise<void> {
  const digester = new Digester();
  for await (const chunk of fileBytes(path, o)) digester.update(chunk);
  const digest = digester.digest();
  if (digest !== `sha256:${o.expected}`)
    throw cliError('DOWNLOAD_FAILED', `fetch "${o.url}": its digest is ${digest}, not sha256:${o.expected}`, {
      remedy: 'Somebody changed it, or the checksum is that of another file.',
    });
}
