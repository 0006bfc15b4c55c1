import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { HttpClient, type Wait } from '../../base/index.ts';
import { parseReference } from '../../image/index.ts';
import { RegistryClient } from '../../registry/index.ts';
import { engineFor, type Io } from '../cli/index.ts';
import { nameOf } from './digest-files.ts';
import { executorError } from './errors.ts';
import { PUSH_FLAGS } from './flags.ts';
import type { Log } from './log.ts';
import { logins } from './logins/logins.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { registryOptions } from './registry-options.ts';
import { during } from './stage.ts';
import { Values } from './values.ts';

/** `executor push PATH -d NAME…`: a docker archive or OCI layout to registries. */
export async function push(parsed: ParsedFlags, o: { readonly io: Io; readonly log: Log } & Wait): Promise<void> {
  const { io, log, signal } = o;
  const values = new Values(parsed, { flags: PUSH_FLAGS, env: io.env });
  const destinations = values.list('destination');
  const [word, ...more] = parsed.words;
  if (word === undefined || more.length > 0)
    throw executorError('FLAG_INVALID', `read the command line: accepts 1 arg, received ${parsed.words.length}`, {
      remedy: 'Name one archive or OCI layout.',
    });
  if (destinations.length === 0)
    throw executorError('FLAGS_CONFLICT', 'read the flags: at least one --destination is required', {
      remedy: 'Say where the image goes: -d registry/name:tag.',
    });
  const path = resolve(io.cwd, word);
  if (!existsSync(path))
    throw executorError('CONTEXT_NOT_FOUND', `read the image "${word}": no such file`, { remedy: 'Check the path.' });
  const registries = registryOptions(values, { cwd: io.cwd, env: io.env, destinations });
  await using http = new HttpClient({ env: io.env });
  const cloud = { http, env: io.env, home: io.home, clock: io.clock };
  const credentials = logins({ cloud, random: io.random, helpers: registries.helpers, log });
  if (!values.bool('skip-push-permission-check')) {
    await using client = new RegistryClient({
      ...registries.settings,
      clock: io.clock,
      random: io.random,
      credentials,
    });
    await during('checking push permissions', async () => {
      for (const name of destinations) await client.checkPush(parseReference(name), { signal });
    });
  }
  // The image goes from the file to the registry; the store only lends a place for what is unpacked on the way.
  const folder = mkdtempSync(join(tmpdir(), 'strake-push-'));
  try {
    await using engine = await engineFor({
      root: join(folder, 'store'),
      project: io.cwd,
      insecure: registries.settings.insecure ?? [],
      registries: registries.settings,
    });
    await during('pushing image', async () => {
      for (const name of destinations) {
        log.info(`Pushing image to ${nameOf(name, true)}`);
        const host = {
          credentials: (registry: string, scopes: readonly string[]) =>
            credentials({ registry, repository: scopes[0]?.split(':')[1] }),
        };
        const { digest } = await engine.images.copy(path, `docker://${name}`, { host, signal });
        log.info(`Pushed ${nameOf(name, false)}@${digest}`);
      }
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
