import { CodedError } from '../base/index.ts';
import { folderSource } from '../tree/index.ts';
import type { BuildHost, Credential } from '../worker/index.ts';
import { fileSink } from '../engine/index.ts';
import { systemRandom } from '../base/index.ts';

/** What a build may use of this side. */
export interface Offered {
  /** Folders by the name that the request reads them under; `context` and `dockerfile` are those of a Dockerfile. */
  readonly folders?: Readonly<Record<string, string>> | undefined;
  /** Values by id. */
  readonly secrets?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /** Files (archives) or folders that outputs go to, by the name of their sink. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  readonly outputFolders?: Readonly<Record<string, string>> | undefined;
  /** The login for a registry's host. */
  readonly credentials?: ((host: string) => Promise<Credential | undefined> | Credential | undefined) | undefined;
}

/** A `BuildHost` of folders, values and files of this machine. What was not offered is refused by name. */
export function offer(o: Offered): BuildHost {
  const absent = (what: string): never => {
    throw new CodedError({ code: 'NOT_OFFERED', kind: 'not_found', message: `use ${what}: it was not offered` });
  };
  return {
    files: (name) => folderSource(o.folders?.[name] ?? absent(`files "${name}"`), { owner: { uid: 0, gid: 0 } }),
    secret: async (id) => {
      const value = o.secrets?.[id];
      return typeof value === 'string' ? Buffer.from(value) : value;
    },
    agent: async (id) => absent(`ssh agent "${id}"`),
    credentials: async (host) => o.credentials?.(host),
    blobs: (store) => absent(`blobs "${store}"`),
    sink: (name) => {
      const folder = o.outputFolders?.[name];
      if (folder !== undefined) return { kind: 'folder', path: folder };
      const file = o.files?.[name] ?? absent(`output "${name}"`);
      return { kind: 'stream', open: async () => fileSink(file, systemRandom) };
    },
  };
}
