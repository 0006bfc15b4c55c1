import { hasCode, kindOf, messageOf } from '../../../base/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import { builderFacts, type BuilderFacts } from '../../../frontend/buildpack/index.ts';
import { chooseImage, hostPlatform } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { builderData, builderText, type BuilderView } from './builder-text.ts';
import { depthOf } from './inspect-module.ts';
import type { OutputFormat } from './output-option.ts';
import { structuredText } from './structured.ts';
import { isTrusted } from './trusted-builders.ts';
import { readUserConfig } from './user-config.ts';
import { isPlace } from './write-image.ts';
import { mirroredSettings } from './mirrored.ts';

export interface InspectBuilderFlags {
  readonly depth?: string;
  readonly output: OutputFormat;
}

interface Found {
  readonly facts?: BuilderFacts | undefined;
  /** Why there is none. */
  readonly why?: string | undefined;
}

/** `strake builder inspect`. */
export async function inspectBuilder(
  given: string | undefined,
  flags: InspectBuilderFlags,
  c: CliContext,
): Promise<void> {
  const { io } = c;
  const config = readUserConfig(io);
  const name = given ?? config.defaultBuilder;
  if (name === undefined)
    throw usage('no builder was named', 'Name one, or set it with "strake config default-builder NAME".');
  await using engine = await engineFor(mirroredSettings(c));
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
  const place = isPlace(name);
  const local =
    place || shop.has(name)
      ? await facts(place ? name : `store:${name}`, name, { ...c, shop })
      : { why: 'it is not in the local store' };
  let remote: Found = { why: 'not looked for' };
  if (!place) {
    try {
      remote = await facts(`docker://${name}`, name, { ...c, shop });
    } catch (error) {
      // What is no builder is said even where the other one is one.
      if (c.signal.aborted || hasCode(error, 'CNB_LABEL_INVALID') || local.facts === undefined) throw error;
      remote = { why: kindOf(error) === 'not_found' ? 'it is not in its registry' : messageOf(error) };
    }
  }
  const view = (of: BuilderFacts): BuilderView => ({
    facts: of,
    userMirrors: new Map(config.runImages.map(({ image, mirrors }) => [image, mirrors])),
    depth: depthOf(flags.depth),
  });
  const trusted = isTrusted(name, config);
  if (flags.output !== 'human-readable') {
    const data = {
      builder_name: name,
      trusted,
      default: name === config.defaultBuilder,
      remote_info: remote.facts ? builderData(view(remote.facts)) : null,
      local_info: local.facts ? builderData(view(local.facts)) : null,
    };
    io.stdout.write(await structuredText(data, flags.output));
    return;
  }
  const section = (title: string, found: Found): string =>
    `${io.outStyle.bold(`${title}:`)}\n${found.facts ? `\n${builderText(view(found.facts), { style: io.outStyle, trusted })}` : `(not present: ${found.why ?? ''})\n`}`;
  io.stdout.write(
    `Inspecting builder: "${name}"${name === config.defaultBuilder ? ' (the default one)' : ''}\n\n${section('REMOTE', remote)}\n${section('LOCAL', local)}`,
  );
}

async function facts(location: string, name: string, c: CliContext & { readonly shop: Workshop }): Promise<Found> {
  const { signal } = c;
  const { image } = await chooseImage(await c.shop.open(location, { signal }), hostPlatform(process), {
    what: name,
    signal,
  });
  return { facts: await builderFacts(image, { what: name, signal }) };
}
