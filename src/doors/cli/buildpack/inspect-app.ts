import { hasCode, kindOf, messageOf } from '../../../base/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import { appFacts, type AppFacts, type AppModule } from '../../../frontend/buildpack/index.ts';
import { chooseImage, configOf, hostPlatform } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import { tableText } from '../print/table.ts';
import type { Style } from '../print/style.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { indented } from './module-text.ts';
import type { OutputFormat } from './output-option.ts';
import { structuredText } from './structured.ts';
import { readUserConfig } from './user-config.ts';
import { isPlace } from './write-image.ts';

interface Found {
  readonly facts?: AppFacts | undefined;
  /** Why there is none. */
  readonly why?: string | undefined;
}

/** `strake inspect -o …`: app images as pack shows them, in the store and in their registry. */
export async function inspectApps(names: readonly string[], output: OutputFormat, c: CliContext): Promise<void> {
  const { io } = c;
  await using engine = await engineFor(c.settings);
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
  const { runImages } = readUserConfig(io);
  const mirrors = new Map(runImages.map(({ image, mirrors }) => [image, mirrors]));
  for (const name of names) {
    const { local, remote } = await find(name, { ...c, shop });
    const text =
      output === 'human-readable'
        ? `Inspecting image: "${name}"\n${section('REMOTE', remote, { mirrors, style: io.outStyle })}${section('LOCAL', local, { mirrors, style: io.outStyle })}`
        : await structuredText(
            {
              image_name: name,
              remote_info: remote.facts ? dataOf(remote.facts, mirrors) : null,
              local_info: local.facts ? dataOf(local.facts, mirrors) : null,
            },
            output,
          );
    io.stdout.write(text);
  }
}

/** `strake inspect --bom`: the bills of materials of labels, in pack's shape. What there is of SBOM files is another command's. */
export async function inspectBoms(names: readonly string[], output: OutputFormat, c: CliContext): Promise<void> {
  if (output === 'toml') throw usage('show a bill of materials as toml: it is shown as json or yaml');
  const { io } = c;
  await using engine = await engineFor(c.settings);
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
  for (const name of names) {
    const { local, remote } = await find(name, { ...c, shop });
    io.stdout.write(
      await structuredText({ remote: bomOf(remote), local: bomOf(local) }, output === 'yaml' ? 'yaml' : 'json'),
    );
    if (![local, remote].some(({ facts }) => facts?.bom.length) && [local, remote].some(({ facts }) => facts?.sbom))
      io.stderr.write(`"${name}" has SBOM files instead: strake sbom download ${name}\n`);
  }
}

function bomOf({ facts }: Found): readonly unknown[] | null {
  if (!facts || facts.bom.length === 0) return null;
  return facts.bom.map(({ name, version, metadata, buildpack }) => ({
    name,
    version: version === '' ? undefined : version,
    metadata,
    buildpacks: buildpack,
  }));
}

async function find(
  name: string,
  c: CliContext & { readonly shop: Workshop },
): Promise<{ local: Found; remote: Found }> {
  const { shop } = c;
  if (isPlace(name)) return { local: await factsAt(name, name, c), remote: { why: 'not looked for' } };
  const local = shop.has(name) ? await factsAt(`store:${name}`, name, c) : { why: 'it is not in the local store' };
  try {
    return { local, remote: await factsAt(`docker://${name}`, name, c) };
  } catch (error) {
    if (c.signal.aborted || hasCode(error, 'CNB_LABEL_INVALID') || local.facts === undefined) throw error;
    return { local, remote: { why: kindOf(error) === 'not_found' ? 'it is not in its registry' : messageOf(error) } };
  }
}

async function factsAt(location: string, name: string, c: CliContext & { readonly shop: Workshop }): Promise<Found> {
  const { signal } = c;
  const value = await c.shop.open(location, { signal });
  const { image } = await chooseImage(value, hostPlatform(process), { what: name, signal });
  return { facts: appFacts(await configOf(image, { signal }), name) };
}

type Mirrors = ReadonlyMap<string, readonly string[]>;

/** The user's own mirrors of the run image first. */
function runImagesOf(facts: AppFacts, mirrors: Mirrors): { name: string; user_configured?: true }[] {
  const own = mirrors.get(facts.runImages[0] ?? '') ?? [];
  return [
    ...own.map((name) => ({ name, user_configured: true as const })),
    ...facts.runImages.map((name) => ({ name })),
  ];
}

/** For programs, in pack's shape. */
function dataOf(facts: AppFacts, mirrors: Mirrors): Record<string, unknown> {
  return {
    stack: facts.stackId,
    base_image: { top_layer: facts.base.topLayer, reference: facts.base.reference },
    run_images: runImagesOf(facts, mirrors),
    buildpacks: facts.buildpacks,
    extensions: facts.extensions.length > 0 ? facts.extensions : undefined,
    processes: facts.processes.map(({ type, shell, command, isDefault, args, workingDir, execEnv }) => ({
      type,
      shell: shell ? 'bash' : '',
      command,
      default: isDefault,
      args,
      'working-dir': workingDir,
      'exec-env': execEnv.length > 0 ? execEnv : undefined,
    })),
    rebasable: facts.rebasable,
    exec_env: facts.execEnv,
  };
}

function section(title: string, { facts, why }: Found, o: { mirrors: Mirrors; style: Style }): string {
  const { bold } = o.style;
  const head = `\n${bold(`${title}:`)}\n`;
  if (!facts) return `${head}(not present: ${why ?? ''})\n`;
  const images = runImagesOf(facts, o.mirrors).map(
    ({ name, user_configured: own }) => `  ${name}${own ? '    (user-configured)' : ''}\n`,
  );
  const { reference, topLayer } = facts.base;
  const parts = [
    ...(facts.stackId === '' ? [] : [`${bold('Stack:')} ${facts.stackId}\n`]),
    `${bold('Base Image:')}\n${reference === '' ? '' : `  Reference: ${reference}\n`}  Top Layer: ${topLayer}\n`,
    `${bold('Run Images:')}\n${images.join('') || '  (none)\n'}`,
    `${bold('Rebasable:')} ${facts.rebasable}\n`,
    ...(facts.execEnv === undefined ? [] : [`${bold('Execution Environment:')} ${facts.execEnv}\n`]),
    `${bold('Buildpacks:')}\n${modules(facts.buildpacks, o)}`,
    ...(facts.extensions.length > 0 ? [`${bold('Extensions:')}\n${modules(facts.extensions, o)}`] : []),
    ...(facts.processes.length > 0 ? [`${bold('Processes:')}\n${processes(facts, o)}`] : []),
  ];
  return `${head}\n${parts.join('\n')}`;
}

function modules(list: readonly AppModule[], o: { style: Style }): string {
  if (list.length === 0) return '  (none)\n';
  const rows = list.map(({ id, version, homepage }) => [id, version, homepage ?? '-']);
  return indented(tableText([{ title: 'ID' }, { title: 'VERSION' }, { title: 'HOMEPAGE' }], rows, o));
}

function processes({ processes: list }: AppFacts, o: { style: Style }): string {
  const rows = list.map(({ type, isDefault, shell, command, args, workingDir }) => [
    isDefault ? `${type} (default)` : type,
    shell ? 'bash' : '',
    command,
    args.join(' '),
    workingDir,
  ]);
  const titles = ['TYPE', 'SHELL', 'COMMAND', 'ARGS', 'WORK DIR'].map((title) => ({ title }));
  return indented(tableText(titles, rows, o));
}
