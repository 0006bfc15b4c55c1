import { HttpClient, messageOf, redactUrl, type Wait } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import {
  encodeEntry,
  indexPath,
  type ListedBuildpack,
  type RegistryEntry,
  type RegistryIndex,
} from './registry-index.ts';

/** Where a server of an index lists what it has, below its address (docs/buildpacks-registry.md). */
export const LIST_PATH = 'api/v1/buildpacks';
/** Buildpacks in one answer of it, at most. */
export const LIST_LIMIT = 500;

const LARGEST = 16 << 20;

/** An index served as plain files: `<url>/ja/va/acme_java`. It is listed where the server can do that, as `strake buildpack registry serve` can. */
export function httpIndex(url: string, o: { name: string; client?: HttpClient | undefined }): RegistryIndex {
  const client = o.client ?? new HttpClient();
  const get = async (path: string, w: Wait | undefined): Promise<string | undefined> => {
    const target = new URL(`${url.replace(/\/+$/, '')}/${path}`);
    const fail = failing(o.name, target);
    try {
      await using answer = await client.request({ method: 'GET', url: target, signal: w?.signal });
      const chunks: Uint8Array[] = [];
      let size = 0;
      if (answer.status === 200)
        for await (const chunk of answer.body) {
          size += chunk.length;
          if (size > LARGEST) throw fail('its answer is larger than 16 MiB');
          chunks.push(chunk.slice());
        }
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw fail(`it answered with status ${answer.status}`);
      return Buffer.concat(chunks).toString();
    } catch (error) {
      if (w?.signal?.aborted) throw error;
      throw error instanceof Error && 'kind' in error && 'code' in error ? error : fail(messageOf(error), error);
    }
  };
  return {
    name: o.name,
    lines: (namespace, name, w) => get(indexPath(namespace, name), w),
    list: async (w) => {
      const found: ListedBuildpack[] = [];
      for (let total = 1; found.length < total;) {
        const path = `${LIST_PATH}?limit=${LIST_LIMIT}&offset=${found.length}`;
        const text = await get(path, w);
        const page = text === undefined ? undefined : parseList(text);
        // Plain files: the server knows no such page, or has its own for whatever is not there.
        if (!page) {
          if (found.length === 0) return undefined;
          throw failing(o.name, url)('its list ends in the middle');
        }
        found.push(...page.buildpacks);
        total = page.buildpacks.length === 0 ? 0 : page.total;
      }
      return found;
    },
  };
}

function failing(name: string, target: string | URL): (detail: string, cause?: unknown) => Error {
  return (detail, cause) =>
    buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${name}" at "${redactUrl(target)}": ${detail}`, {
      cause,
    });
}

/** A page of a list; undefined for what is none. */
function parseList(text: string): { total: number; buildpacks: readonly ListedBuildpack[] } | undefined {
  try {
    const { total, buildpacks } = JSON.parse(text) as {
      total: number;
      buildpacks: readonly {
        namespace: string;
        name: string;
        versions: readonly { version: string; yanked: boolean; address: string }[];
      }[];
    };
    if (typeof total !== 'number') return undefined;
    return {
      total,
      buildpacks: buildpacks.map(({ namespace, name, versions }) => {
        indexPath(namespace, name);
        const entries = versions.map((one): RegistryEntry => ({
          namespace,
          name,
          version: one.version,
          yanked: one.yanked,
          address: one.address,
        }));
        return { namespace, name, text: entries.map((entry) => encodeEntry(entry)).join('') };
      }),
    };
  } catch {
    return undefined;
  }
}
