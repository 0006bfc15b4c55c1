import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { packageOfImage, parseLocator, type ModuleKind } from '../../../frontend/buildpack/index.ts';
import { hostPlatform } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { openSources } from './sources.ts';
import { mirroredSettings } from './mirrored.ts';

/** `strake buildpack pull`, `strake extension pull`. */
export async function pullModule(
  name: string,
  flags: { readonly buildpackRegistry?: string; readonly quiet?: boolean },
  c: CliContext & { readonly kind: ModuleKind },
): Promise<void> {
  const { io, kind, signal } = c;
  const locator = parseLocator(name, { exists: (path) => existsSync(resolve(io.cwd, path)) });
  if (locator.kind !== 'image' && locator.kind !== 'registry')
    throw usage(`pull "${name}": it is in no registry`, 'Use it where it is; nothing needs to be pulled.');
  await using engine = await engineFor(mirroredSettings(c));
  const digest = await withProgress(c, { title: 'Pulling', name: `pull ${name}`, ...flags }, async ({ onProgress }) => {
    await using shop = await engine.workshop({
      host: { credentials: hostCredentials(lazyCredentials(io)) },
      onProgress,
    });
    const sources = openSources(c, { shop, policy: 'always', registry: flags.buildpackRegistry, remote: true });
    const reference = locator.kind === 'image' ? locator.reference : (await sources.registered(locator)).address;
    const value = await sources.image(reference);
    await packageOfImage(value, { what: reference, kind, host: hostPlatform(process), signal });
    const written = await shop.write(`store:${reference}`, value, { signal, whole: true });
    return `${reference.split('@')[0]}@${written.digest}`;
  });
  io.stdout.write(`${digest}\n`);
}
