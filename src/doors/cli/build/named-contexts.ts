import type { BlobReader } from '../../../blob/index.ts';
import { isDigest } from '../../../blob/index.ts';
import { descriptorOf, openLayout, selectImage } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { keyValues } from '../parse/values.ts';
import { isRemote } from './context.ts';

/** What `--build-context` comes to. */
export interface NamedContexts {
  /** What the frontend is told: `context:NAME`. */
  readonly options: Readonly<Record<string, string>>;
  /** Folders of this machine, offered as `context-NAME`. */
  readonly folders: ReadonlyMap<string, string>;
  /** OCI layouts of this machine, by the name of their blob store. */
  readonly layouts: ReadonlyMap<string, BlobReader>;
}

/**
 * `--build-context name=…`: images and what is on other machines go to the frontend as they are; folders and OCI layouts are offered under a name of their own, a layout's image by its digest (as buildx: `oci-layout://FOLDER[:TAG][@DIGEST]`).
 * Throws `USAGE`, what `folderOf` throws, and the errors of layouts.
 */
export async function namedContexts(
  flags: { readonly buildContext: readonly string[] },
  folderOf: (text: string) => string,
): Promise<NamedContexts> {
  const options: Record<string, string> = {};
  const folders = new Map<string, string>();
  const layouts = new Map<string, BlobReader>();
  for (const [name, value] of keyValues(flags.buildContext, { what: '--build-context' })) {
    if (value === '')
      throw usage(
        `read --build-context "${name}=": there is no value`,
        'Write name=folder or name=docker-image://image.',
      );
    if (value.startsWith('oci-layout:')) {
      const store = `context-${name}`;
      const { blobs, digest } = await layoutAt(value, folderOf);
      layouts.set(store, blobs);
      options[`context:${name}`] = `oci-layout://${store}@${digest}`;
    } else if (/^(docker-image|target):/.test(value) || isRemote(value)) options[`context:${name}`] = value;
    else {
      folders.set(name, folderOf(value));
      options[`context:${name}`] = `local:context-${name}`;
    }
  }
  return { options, folders, layouts };
}

async function layoutAt(
  text: string,
  folderOf: (text: string) => string,
): Promise<{ readonly blobs: BlobReader; readonly digest: string }> {
  const [, path = '', tag, digest] =
    /^oci-layout:(?:\/\/)?(.*?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]*))?(?:@([^@/]*))?$/.exec(text) ?? [];
  if (digest !== undefined && !isDigest(digest))
    throw usage(`read --build-context "${text}": "${digest}" is no digest`, 'Write oci-layout://FOLDER@sha256:….');
  const layout = openLayout(folderOf(path));
  if (digest !== undefined) return { blobs: layout.blobs, digest };
  const image = selectImage(layout, { wanted: tag ?? (layout.images.length > 1 ? 'latest' : undefined), what: path });
  const { digest: found } = image.descriptor ?? (await descriptorOf(await image.open()));
  return { blobs: layout.blobs, digest: found };
}
