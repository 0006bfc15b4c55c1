import { readFileSync } from 'node:fs';
import { hasErrno, messageOf, type Random } from '../../base/index.ts';
import { engineError, fileSink } from '../../engine/index.ts';
import type { CredentialLookup } from '../../registry/index.ts';
import type { FileSource } from '../../tree/index.ts';
import type { BuildHost, Sink } from '../../worker/index.ts';

/** Where a secret comes from. */
export type SecretSource = { readonly file: string } | { readonly env: string };

/** What this process offers to a build: its files, secrets, logins and the places that output goes to. */
export function localHost(o: {
  files: ReadonlyMap<string, FileSource>;
  secrets: ReadonlyMap<string, SecretSource>;
  sinks: ReadonlyMap<string, { readonly kind: 'file' | 'folder'; readonly path: string }>;
  credentials: CredentialLookup;
  env: Readonly<Record<string, string | undefined>>;
  random: Random;
}): BuildHost {
  const absent = (what: string): Error => engineError('HOST_ABSENT', `use ${what}: it was not offered to this build`);
  return {
    files: (name) => {
      const source = o.files.get(name);
      if (!source) throw absent(`files "${name}"`);
      return source;
    },
    secret: async (id) => {
      const source = o.secrets.get(id);
      if (!source) return undefined;
      if ('env' in source) return Buffer.from(o.env[source.env] ?? '');
      try {
        return readFileSync(source.file);
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) return undefined;
        throw engineError('EXPORT_INVALID', `read secret "${id}": ${messageOf(error)}`, { cause: error });
      }
    },
    agent: async (id) => {
      throw absent(`ssh agent "${id}"`);
    },
    credentials: async (host, scopes, w) => {
      const repository = scopes.map((scope) => scope.split(':')[1]).find((name) => name !== undefined);
      return o.credentials({ registry: host, repository }, w);
    },
    blobs: (name) => {
      throw absent(`blobs "${name}"`);
    },
    sink: (name): Sink => {
      const sink = o.sinks.get(name);
      if (!sink) throw absent(`output "${name}"`);
      return sink.kind === 'folder'
        ? { kind: 'folder', path: sink.path }
        : { kind: 'stream', open: async () => fileSink(sink.path, o.random) };
    },
  };
}
