import { runTool } from '../../../base/index.ts';
import { folderIndex, packageOfImage, splitVersion, type RegistryEntry } from '../../../frontend/buildpack/index.ts';
import { descriptorOf, hostPlatform, parseReference, repositoryName } from '../../../image/index.ts';
import { cliError, usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { cloned, kindOfRegistry, openIndex, registriesOf } from './registries.ts';
import { postChange } from './post-change.ts';
import { readUserConfig, type RegistryConfig } from './user-config.ts';
import { mirroredSettings } from './mirrored.ts';

interface Flags {
  readonly buildpackRegistry?: string;
  readonly tokenFile?: string;
}

/** `strake buildpack register`: tells a registry of a package that is in a registry of images. */
export async function registerModule(image: string, flags: Flags, c: CliContext): Promise<void> {
  const { io, signal } = c;
  await using engine = await engineFor(mirroredSettings(c));
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(io)) } });
  const value = await shop.open(`docker://${image}`, { signal });
  const { main } = await packageOfImage(value, { what: image, kind: 'buildpack', host: hostPlatform(process), signal });
  const { id, version } = main.descriptor;
  const [namespace = '', name = '', ...more] = id.split('/');
  if (namespace === '' || name === '' || more.length > 0)
    throw usage(`register "${image}": its id "${id}" is not NAMESPACE/NAME`, 'Registries take no other ids.');
  const { digest } = await descriptorOf(value, { signal });
  const address = `${repositoryName(parseReference(image))}@${digest}`;
  const entry: RegistryEntry = { namespace, name, version, yanked: false, address };
  await change(`ADD ${id}@${version}`, flags, { ...c, work: (index) => index.register?.(entry), entry });
}

/** `strake buildpack yank`: nobody gets this version any more who does not ask for it. */
export async function yankModule(
  text: string,
  flags: Flags & { readonly undo?: boolean },
  c: CliContext,
): Promise<void> {
  const { id, version } = splitVersion(text);
  const [namespace = '', name = '', ...more] = id.split('/');
  if (namespace === '' || name === '' || version === '' || more.length > 0)
    throw usage(`yank "${text}": it is not NAMESPACE/NAME@VERSION`);
  const entry: RegistryEntry = { namespace, name, version, yanked: flags.undo !== true, address: '' };
  await change(`${flags.undo ? 'UNYANK' : 'YANK'} ${id}@${version}`, flags, {
    ...c,
    work: (index) => index.yank?.(entry, entry.yanked),
    entry,
  });
}

type Writable = Awaited<ReturnType<typeof openIndex>>;

/** Changes an index: in its folder, in its repository by a commit that is pushed, or by an issue that the user has to open. */
async function change(
  title: string,
  flags: Flags,
  c: CliContext & { readonly work: (index: Writable) => void; readonly entry: RegistryEntry },
): Promise<void> {
  const [registry] = registriesOf(readUserConfig(c.io), flags.buildpackRegistry);
  if (!registry) return;
  const { type } = kindOfRegistry(registry, c.io.cwd);
  if (type === 'github') {
    c.io.stderr.write(`Open this page to tell registry "${registry.name}" of it:\n`);
    c.io.stdout.write(`${issueUrl(registry, title, c.entry)}\n`);
    return;
  }
  if (type === 'http') {
    if (flags.tokenFile === undefined)
      throw cliError(
        'CONFIG_INVALID',
        `change buildpack registry "${registry.name}": what is served over HTTP is only read without a token`,
        {
          remedy: 'Give --token-file, or change the folder or repository that is served.',
        },
      );
    await postChange(registry, c.entry, { ...c, tokenFile: flags.tokenFile });
    return;
  }
  if (type !== 'git') {
    c.work(await openIndex(registry, c));
    return;
  }
  const folder = await cloned(registry, c);
  c.work(folderIndex(folder, registry.name));
  await commit(folder, title, c);
}

async function commit(folder: string, title: string, c: CliContext): Promise<void> {
  const git = (...args: string[]): ReturnType<typeof runTool> =>
    runTool('git', ['-C', folder, ...args], { signal: c.signal });
  await git('add', '--all');
  await git('-c', 'user.name=strake', '-c', 'user.email=strake@localhost', 'commit', '--quiet', '-m', title);
  try {
    await git('push', '--quiet', 'origin', 'HEAD');
  } catch (error) {
    await git('reset', '--quiet', '--hard', 'HEAD~1');
    throw error;
  }
}

/** A page of GitHub with an issue that the registry's own workflow takes (registry-index, issue templates). */
function issueUrl(
  registry: RegistryConfig,
  title: string,
  { namespace, name, version, yanked, address }: RegistryEntry,
): string {
  const add = address !== '';
  const body = add
    ? `id = "${namespace}/${name}"\nversion = "${version}"\naddr = "${address}"\n`
    : `id = "${namespace}/${name}"\nversion = "${version}"\nyank = ${String(yanked)}\n`;
  const url = new URL(`${registry.url.replace(/\.git$/, '').replace(/\/$/, '')}/issues/new`);
  url.searchParams.set('title', title);
  url.searchParams.set('body', `\n### Data\n\n\`\`\`toml\n${body}\`\`\`\n`);
  return url.href;
}
