import {
  findModules,
  moduleName,
  orderTree,
  type ModuleKind,
  type ModulePackage,
} from '../../../frontend/buildpack/index.ts';
import { hostPlatform } from '../../../image/index.ts';
import { hostCredentials } from '../local-host.ts';
import { usage } from '../errors.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { targetsOfFlags } from './flag-values.ts';
import { modulesText, orderText, packageData } from './module-text.ts';
import { openSources } from './sources.ts';
import type { OutputFormat } from './output-option.ts';
import { structuredText } from './structured.ts';
import { mirroredSettings } from './mirrored.ts';

export interface InspectFlags {
  readonly depth?: string;
  readonly buildpackRegistry?: string;
  readonly verbose?: boolean;
  readonly output: OutputFormat;
  readonly target: readonly string[];
}

/** `strake buildpack inspect`, `strake extension inspect`. */
export async function inspectModule(
  name: string,
  flags: InspectFlags,
  c: CliContext & { readonly kind: ModuleKind },
): Promise<void> {
  const found = await findPackage(name, flags, c);
  const all = [found.main, ...found.others].map(({ descriptor }) => descriptor);
  const order = orderTree(found.main.descriptor.order, { modules: all, depth: depthOf(flags.depth) });
  if (flags.output === 'human-readable')
    c.io.stdout.write(textOf(name, found, { ...c, order, verbose: flags.verbose }));
  else c.io.stdout.write(await structuredText(packageData(found, order), flags.output));
}

/** How many levels of an order are shown; undefined: all. */
export function depthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^-?\d+$/.test(text)) throw usage(`read --depth "${text}": it is no number`);
  return Number(text);
}

/** The modules that a name means, closed again: only what they say of themselves may be used. */
async function findPackage(
  name: string,
  flags: Pick<InspectFlags, 'buildpackRegistry' | 'target'>,
  c: CliContext & { readonly kind: ModuleKind },
): Promise<ModulePackage> {
  await using engine = await engineFor(mirroredSettings(c));
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(c.io)) } });
  using opened = new DisposableStack();
  return await findModules(name, {
    shop,
    random: c.io.random,
    kind: c.kind,
    target: targetsOfFlags(flags.target)[0],
    host: hostPlatform(process),
    folder: c.io.cwd,
    sources: openSources(c, { shop, policy: 'if-not-present', registry: flags.buildpackRegistry }),
    signal: c.signal,
    keep: (resource) => void opened.use(resource),
  });
}

function textOf(
  name: string,
  { main, others }: ModulePackage,
  c: CliContext & { readonly order: ReturnType<typeof orderTree>; readonly verbose?: boolean | undefined },
): string {
  const { bold } = c.io.outStyle;
  const { descriptor } = main;
  const title = descriptor.kind === 'buildpack' ? 'Buildpack' : 'Extension';
  const lines = [`Inspecting ${descriptor.kind}: "${name}"`, ''];
  const { stacks } = descriptor;
  if (stacks.length > 0) {
    lines.push(bold('Stacks:'));
    for (const { id, mixins } of stacks) {
      lines.push(`  ID: ${id}`);
      if (c.verbose)
        lines.push('    Mixins:', ...(mixins.length > 0 ? mixins.map((mixin) => `      ${mixin}`) : ['      (none)']));
    }
    lines.push('');
  }
  if (descriptor.targets.length > 0) {
    lines.push(bold('Targets:'));
    for (const { os, arch, variant, distros } of descriptor.targets)
      lines.push(
        `  ${[os, arch, variant].filter((part) => part !== '').join('/')}${distros.length > 0 ? ` (${distros.map((distro) => moduleName({ id: distro.name, version: distro.version })).join(', ')})` : ''}`,
      );
    lines.push('');
  }
  lines.push(
    bold(`${title}s:`),
    modulesText(
      [main, ...others].map((one) => one.descriptor),
      { style: c.io.outStyle },
    ),
  );
  if (c.order.length > 0) lines.push(bold('Detection Order:'), orderText(c.order));
  return `${lines.join('\n').trimEnd()}\n`;
}
