import { resolve } from 'node:path';
import { HttpClient, kindOf, makeFolder, messageOf, systemRandom, tempFolder, type Wait } from '../../base/index.ts';
import { hostPlatform, parsePlatform, parseReference } from '../../image/index.ts';
import { RegistryClient } from '../../registry/index.ts';
import type { Io } from '../cli/index.ts';
import { basesOf } from './bases-of.ts';
import { executorError } from './errors.ts';
import { findDockerfile } from './find-dockerfile.ts';
import { WARMER_FLAGS } from './warmer-flags.ts';
import type { Log } from './log.ts';
import { logins } from './logins/logins.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { registryOptions } from './registry-options.ts';
import { Values } from './values.ts';
import { digestNow, warm, warmImages } from './warm-folder.ts';

/** Brings the images that are named, and the bases of a Dockerfile, into the folder. One that cannot be had is a warning, unless none can. Throws `WARMING_FAILED`. */
export async function warmAll(parsed: ParsedFlags, o: { readonly io: Io; readonly log: Log } & Wait): Promise<void> {
  const { io, log, signal } = o;
  const values = new Values(parsed, { flags: WARMER_FLAGS, env: io.env });
  const folder = resolve(io.cwd, values.text('cache-dir') ?? '/cache');
  const host = hostPlatform(process);
  const platform = parsePlatform(values.text('custom-platform') || `${host.os}/${host.architecture}`, host);
  const registries = registryOptions(values, { cwd: io.cwd, env: io.env, destinations: [] });
  const dockerfile = values.text('dockerfile');
  const images = [...values.list('image')];
  if (images.length === 0 && dockerfile === undefined)
    throw executorError(
      'FLAGS_CONFLICT',
      'read the flags: you must select at least one image to cache or a dockerfile path to parse',
      {
        remedy: 'Use --image or --dockerfile.',
      },
    );
  makeFolder(folder, 0o755);
  await using http = new HttpClient({ env: io.env });
  if (dockerfile !== undefined) {
    using scratch = tempFolder(folder, systemRandom);
    const place = await findDockerfile(dockerfile, {
      context: io.cwd,
      cwd: io.cwd,
      scratch: scratch.path,
      http,
      signal,
    });
    const buildArgs = new Map(
      values.list('build-arg').map((text) => {
        const equals = text.indexOf('=');
        return equals < 0 ? [text, io.env[text] ?? ''] : [text.slice(0, equals), text.slice(equals + 1)];
      }),
    );
    images.push(...(await basesOf(place, { buildArgs, platform, signal })));
  }
  const cloud = { http, env: io.env, home: io.home, clock: io.clock };
  const credentials = logins({ cloud, random: io.random, helpers: registries.helpers, log });
  await using client = new RegistryClient({
    ...registries.settings,
    clock: io.clock,
    random: io.random,
    credentials,
    env: io.env,
    notice: ({ message }) => log.warn(message),
  });
  const oldest = io.clock.now() - values.span('cache-ttl');
  let failed = 0;
  for (const name of new Set(images)) {
    try {
      const reference = parseReference(name);
      log.info(`Retrieving image manifest ${name}`);
      const known = warmImages(folder).filter(({ at }) => at >= oldest && !values.bool('force'));
      // A digest that is there need not be asked for.
      const found = known.some(({ digest }) => digest === reference.digest)
        ? undefined
        : await digestNow(name, { client, platform, signal });
      if (!found || known.some(({ digest }) => digest === found.digest)) {
        log.info(`Image already in cache: ${name}`);
        continue;
      }
      await warm(found.image, { folder, reference: name, digest: found.digest, random: io.random, signal });
      log.info(`Wrote ${name} to cache`);
    } catch (error) {
      if (signal?.aborted || kindOf(error) === 'cancelled') throw error;
      log.warn(`Error while trying to warm image: ${name} ${messageOf(error)}`);
      failed += 1;
      if (failed === new Set(images).size)
        throw executorError(
          'WARMING_FAILED',
          `warm ${failed === 1 ? `"${name}"` : `${failed} images`}: ${messageOf(error)}`,
          {
            cause: error,
            remedy: 'Check the names and the logins.',
          },
        );
    }
  }
}
