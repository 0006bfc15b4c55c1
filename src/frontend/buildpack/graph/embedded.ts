import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { sourceState, State, type FileAction, type SourceOp } from '../../../graph/index.ts';
import { parseConfig, type ImageConfig } from '../../../image/index.ts';
import { LIFECYCLE_TIME } from '../../../tree/index.ts';
import type { FrontendHost } from '../../index.ts';
import { parseBuilderConfig, resolveOrder } from '../distribution/index.ts';
import { moduleFolder, moduleKey, parseModuleDescriptor } from '../model/index.ts';
import type { ModuleDescriptor } from '../model/types.ts';
import { copyFolder } from './add-modules.ts';
import { LAUNCHER, type Builder } from './builder.ts';
import { filesOf } from './ref-files.ts';
import { ownerOf } from './steps.ts';

/** Under which the asking side offers what strake comes with: a folder for each buildpack and builder.toml; the launchers. */
export const EMBEDDED_BUILDPACKS = 'strake-buildpacks';
export const EMBEDDED_LAUNCHERS = 'strake-launchers';

const USER = { uid: 1000, gid: 1000 };
const HOME = '/home/cnb';

/** The builder that strake comes with: Debian packages, a user, the embedded buildpacks. */
export async function embeddedBuilder(host: FrontendHost, o: { platform: Platform } & Wait): Promise<Builder> {
  const source = sourceState(
    { type: 'local', name: EMBEDDED_BUILDPACKS },
    { name: '[internal] load embedded buildpacks', internal: true },
  );
  const offered = await filesOf(host, source, o);
  const read = async (path: string): Promise<string> => Buffer.from((await offered.read(path, o)) ?? '').toString();
  const warn = (message: string): void => host.warn({ code: 'BUILDER_WARNING', message });
  const config = parseBuilderConfig(await read('/builder.toml'), { file: 'builder.toml', warn });
  const base = await packagesBase(host, config.buildImage, o);
  const modules = new Map<string, ModuleDescriptor>();
  const actions: FileAction[] = [];
  for (const { kind, uri } of config.modules) {
    const file = `${uri}/${kind}.toml`;
    const module = parseModuleDescriptor(await read(`/${file}`), { kind, file });
    modules.set(moduleKey(module), module);
    actions.push(copyFolder(`/${uri}`, moduleFolder(module)));
  }
  const state = base.state.file(actions, [source], { name: '[builder] add the embedded buildpacks', group: 'builder' });
  return {
    state,
    files: await filesOf(host, state, o),
    env: base.config.config?.Env ?? [],
    ...USER,
    order: resolveOrder(config.order, [...modules.values()]),
    orderExtensions: resolveOrder(config.orderExtensions, [...modules.values()]),
    system: config.system,
    runImages: config.runImages,
    modules,
    launcher: embeddedLauncher(o.platform),
  };
}

/** strake's own launcher for a platform, at `LAUNCHER`. */
export function embeddedLauncher({ architecture }: Platform): State {
  const source = sourceState(
    { type: 'local', name: EMBEDDED_LAUNCHERS },
    { name: '[internal] load the launcher', internal: true },
  );
  return State.files(
    {
      actions: [
        {
          kind: 'copy',
          from: { input: 1 },
          sources: [`/launcher-${architecture === 'amd64' ? 'x64' : architecture}`],
          destination: LAUNCHER,
          wildcard: false,
          parents: false,
          unpack: false,
          followDestination: true,
          owner: { user: 0, group: 0 },
          mode: 0o755,
        },
      ],
    },
    [source],
    { name: '[internal] the launcher', internal: true },
  );
}

/** A run image made of packages: a base, and the user on it. */
export async function packagesRunImage(
  host: FrontendHost,
  reference: string,
  o: { platform: Platform } & Wait,
): Promise<{ readonly base: State; readonly state: State; readonly config: ImageConfig; readonly digest: string }> {
  const made = await packagesBase(host, reference, o);
  const { config } = made;
  return {
    ...made,
    config: { ...config, config: { ...config.config, User: `${USER.uid}:${USER.gid}` } },
  };
}

/** A base of packages, with the user that builds and runs. */
async function packagesBase(
  host: FrontendHost,
  reference: string,
  o: { platform: Platform } & Wait,
): Promise<{ readonly base: State; readonly state: State; readonly config: ImageConfig; readonly digest: string }> {
  const source: SourceOp = { kind: 'source', source: { type: 'packages', reference, platform: o.platform } };
  const resolved = await host.resolve(source, o);
  const base = sourceState(resolved.source.source, { name: `[builder] ${reference}`, group: 'builder' });
  const files = await filesOf(host, base, o);
  const text = async (path: string): Promise<string> => Buffer.from((await files.read(path, o)) ?? '').toString();
  const line = (path: string, content: string): FileAction => ({
    kind: 'mkfile',
    path,
    mode: 0o644,
    content,
    mtime: LIFECYCLE_TIME,
  });
  const state = base.file(
    [
      line('/etc/passwd', `${await text('/etc/passwd')}cnb:x:${USER.uid}:${USER.gid}::${HOME}:/bin/sh\n`),
      line('/etc/group', `${await text('/etc/group')}cnb:x:${USER.gid}:\n`),
      { kind: 'mkdir', path: HOME, mode: 0o755, parents: true, owner: ownerOf(USER), mtime: LIFECYCLE_TIME },
    ],
    [],
    { name: `[builder] add the user cnb to ${reference}`, group: 'builder' },
  );
  return { base, state, config: parseConfig(resolved.config ?? Buffer.from('{}')), digest: resolved.digest ?? '' };
}
