import { resolve } from 'node:path';
import { cliError, usage } from '../errors.ts';
import { booleanOf, oneOf } from '../parse/values.ts';
import { tableText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { PULL_POLICIES } from './flags.ts';
import { OFFICIAL } from './registries.ts';
import { isKnown, KNOWN_BUILDERS } from './trusted-builders.ts';
import { changeUserConfig, readUserConfig, type UserConfig } from './user-config.ts';

const VALUES: Readonly<
  Record<
    string,
    { readonly key: 'defaultBuilder' | 'pullPolicy' | 'lifecycleImage' | 'experimental'; readonly fallback: string }
  >
> = {
  'default-builder': { key: 'defaultBuilder', fallback: 'none is set' },
  'pull-policy': { key: 'pullPolicy', fallback: 'if-not-present' },
  'lifecycle-image': { key: 'lifecycleImage', fallback: "none is set: strake's own is used" },
  experimental: { key: 'experimental', fallback: 'false' },
};

/** Shows, sets or forgets one value. */
export function value(
  name: string,
  text: string | undefined,
  c: CliContext & { readonly unset?: boolean | undefined },
): void {
  const { key, fallback } = VALUES[name] as (typeof VALUES)[string];
  if (c.unset && text !== undefined) throw usage('--unset goes with no value');
  if (c.unset) {
    changeUserConfig(c.io, (config) => ({ ...config, [key]: undefined }));
    return;
  }
  if (text === undefined) {
    const set = readUserConfig(c.io)[key];
    c.io.stdout.write(`${set === undefined ? fallback : String(set)}\n`);
    return;
  }
  const checked =
    key === 'experimental'
      ? booleanOf(text, 'experimental')
      : key === 'pullPolicy'
        ? oneOf(PULL_POLICIES, 'pull policy')(text)
        : text;
  changeUserConfig(c.io, (config) => ({ ...config, [key]: checked }));
}

const TYPES = ['git', 'github', 'folder', 'http'] as const;

export function addRegistry(
  o: { readonly name: string; readonly url: string; readonly type?: string; readonly default?: boolean },
  c: CliContext,
): void {
  const type = oneOf(TYPES, '--type')(o.type ?? 'github');
  if (o.name === OFFICIAL.name)
    throw usage(`add registry "${o.name}": the official one is called so`, 'Choose another name.');
  const url = type === 'folder' ? resolve(c.io.cwd, o.url) : o.url;
  changeUserConfig(c.io, (config) => {
    if (config.registries.some(({ name }) => name === o.name))
      throw cliError('CONFIG_INVALID', `add registry "${o.name}": there is one of this name already`, {
        remedy: `Remove it with "strake config registries remove ${o.name}".`,
      });
    return {
      ...config,
      registries: [...config.registries, { name: o.name, type, url }],
      defaultRegistry: o.default ? o.name : config.defaultRegistry,
    };
  });
}

export function removeRegistry(name: string, c: CliContext): void {
  changeUserConfig(c.io, (config) => {
    checkRegistry(name, config, { official: false });
    return {
      ...config,
      registries: config.registries.filter((one) => one.name !== name),
      defaultRegistry: config.defaultRegistry === name ? undefined : config.defaultRegistry,
    };
  });
}

export function listRegistries({ io }: CliContext): void {
  const config = readUserConfig(io);
  const first = config.defaultRegistry ?? OFFICIAL.name;
  const rows = [OFFICIAL, ...config.registries].map(({ name, type, url }) => [
    name === first ? '*' : '',
    name,
    type,
    url,
  ]);
  io.stdout.write(
    tableText([{ title: '' }, { title: 'NAME' }, { title: 'TYPE' }, { title: 'URL' }], rows, { style: io.outStyle }),
  );
}

export function defaultRegistry(
  name: string | undefined,
  c: CliContext & { readonly unset?: boolean | undefined },
): void {
  if (name === undefined && !c.unset) {
    c.io.stdout.write(`${readUserConfig(c.io).defaultRegistry ?? OFFICIAL.name}\n`);
    return;
  }
  changeUserConfig(c.io, (config) => {
    if (name !== undefined) checkRegistry(name, config, { official: true });
    return { ...config, defaultRegistry: c.unset || name === OFFICIAL.name ? undefined : name };
  });
}

function checkRegistry(name: string, config: UserConfig, o: { readonly official: boolean }): void {
  const names = [...(o.official ? [OFFICIAL.name] : []), ...config.registries.map((one) => one.name)];
  if (!names.includes(name))
    throw cliError('CONFIG_INVALID', `use buildpack registry "${name}": it is not configured`, {
      remedy: names.length === 0 ? undefined : `There is ${names.join(', ')}.`,
    });
}

type Mirrors = 'registry-mirrors' | 'run-image-mirrors';

export function addMirrors(kind: Mirrors, of: string, c: CliContext & { readonly mirrors: readonly string[] }): void {
  if (c.mirrors.length === 0) throw usage('no mirror was named', 'Name one with --mirror.');
  if (kind === 'registry-mirrors' && c.mirrors.length > 1) throw usage(`"${of}" can have one mirror only`);
  changeUserConfig(c.io, (config) => {
    if (kind === 'registry-mirrors')
      return { ...config, registryMirrors: { ...config.registryMirrors, [of]: c.mirrors[0] ?? '' } };
    const before = config.runImages.find(({ image }) => image === of)?.mirrors ?? [];
    const others = config.runImages.filter(({ image }) => image !== of);
    return { ...config, runImages: [...others, { image: of, mirrors: [...new Set([...before, ...c.mirrors])] }] };
  });
}

export function removeMirrors(kind: Mirrors, of: string, c: CliContext): void {
  changeUserConfig(c.io, (config) => {
    const known =
      kind === 'registry-mirrors' ? Object.keys(config.registryMirrors) : config.runImages.map(({ image }) => image);
    if (!known.includes(of)) throw cliError('CONFIG_INVALID', `remove mirrors of "${of}": it has none`);
    const { [of]: _, ...rest } = config.registryMirrors;
    return kind === 'registry-mirrors'
      ? { ...config, registryMirrors: rest }
      : { ...config, runImages: config.runImages.filter(({ image }) => image !== of) };
  });
}

export function listMirrors(kind: Mirrors, { io }: CliContext): void {
  const config = readUserConfig(io);
  const rows =
    kind === 'registry-mirrors'
      ? Object.entries(config.registryMirrors).map(([host, mirror]) => [host, mirror])
      : config.runImages.flatMap(({ image, mirrors }) => mirrors.map((mirror) => [image, mirror]));
  io.stdout.write(tableText([{ title: 'OF' }, { title: 'MIRROR' }], rows, { style: io.outStyle }));
}

export function trust(builder: string, c: CliContext & { readonly trusted: boolean }): void {
  changeUserConfig(c.io, (config) => {
    const { trustedBuilders } = config;
    if (c.trusted)
      return isKnown(builder) || trustedBuilders.includes(builder)
        ? config
        : { ...config, trustedBuilders: [...trustedBuilders, builder] };
    if (!trustedBuilders.includes(builder))
      throw cliError(
        'CONFIG_INVALID',
        isKnown(builder)
          ? `distrust "${builder}": it is always trusted, by its name`
          : `distrust "${builder}": it is not trusted`,
      );
    return { ...config, trustedBuilders: trustedBuilders.filter((one) => one !== builder) };
  });
}

export function listTrusted({ io }: CliContext): void {
  const names = [...KNOWN_BUILDERS.map(({ image }) => image), ...readUserConfig(io).trustedBuilders];
  io.stdout.write(`${[...new Set(names)].toSorted().join('\n')}\n`);
}
