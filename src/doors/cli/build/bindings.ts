import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { messageOf, systemBundleFile } from '../../../base/index.ts';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { MAX_SECRET } from '../parse/secret.ts';
import { embeddedFolder } from './embedded-folder.ts';

/** A service binding: its files by name, each with where it lies here. One of them is `type`. */
export type Binding = ReadonlyMap<string, string>;

/** `--binding DIR`: a folder with `type` and more; its name is the binding's (servicebinding.io, Workload Projection). */
export function bindingsOf(texts: readonly string[], cwd: string): Map<string, Binding> {
  const names = new Set<string>();
  return new Map(
    texts.map((text) => {
      const folder = resolve(cwd, text);
      const name = basename(folder);
      if (name === '') throw usage(`read --binding "${text}": its folder has no name`);
      if (names.has(name))
        throw usage(
          `read --binding "${text}": there is another binding "${name}"`,
          "A binding has its folder's name: rename one of the folders.",
        );
      names.add(name);
      const files = filesIn(folder, text);
      const odd = files.find((file) => file.includes(','));
      if (odd !== undefined)
        throw usage(`read --binding "${text}": the file "${odd}" has a comma in its name`, 'Rename the file.');
      if (!files.includes('type'))
        throw usage(
          `read --binding "${text}": there is no file "type" in it`,
          'Write the kind of service into it, as "postgresql".',
        );
      return [name, new Map(files.map((file) => [file, join(folder, file)]))];
    }),
  );
}

/** The certificate authorities that strake itself trusts here, as a binding of type `ca-certificates`: what a build fetches is signed by the same. Nothing where none can be read. */
export function machineTrust(env: Io['env']): Map<string, Binding> {
  const files = new Map<string, string>();
  const offer = (name: string, path: string | undefined): void => {
    const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    if (path !== undefined && stat?.isFile() === true && stat.size <= MAX_SECRET) files.set(name, path);
  };
  offer('system.pem', systemBundleFile(env['SSL_CERT_FILE']));
  offer('extra.pem', env['NODE_EXTRA_CA_CERTS']);
  if (files.size === 0) return new Map();
  files.set('type', join(embeddedFolder('buildpacks'), 'bindings/authorities/type'));
  return new Map([['strake-authorities', files]]);
}

function filesIn(folder: string, text: string): string[] {
  try {
    return readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  } catch (error) {
    throw usage(
      `read --binding "${text}": ${messageOf(error)}`,
      'Name a folder that has the files of a service binding.',
    );
  }
}
