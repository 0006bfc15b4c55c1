import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileSink } from '../../../engine/index.ts';
import {
  expandTargets,
  findModules,
  makePackage,
  parsePackageConfig,
  platformFor,
  targetSuffix,
  type Module,
  type ModuleKind,
  type PackageConfig,
  type Target,
} from '../../../frontend/buildpack/index.ts';
import { hostPlatform, writeOciArchive, type Image } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { labelsOfFlags, targetsOfFlags } from './flag-values.ts';
import type { MakeFlags } from './flags.ts';
import { openSources, pullPolicyOf } from './sources.ts';
import { isPlace, writeImages, type MadeImage } from './write-image.ts';
import { mirroredSettings } from './mirrored.ts';

export interface PackageFlags extends MakeFlags {
  readonly format: 'image' | 'file';
  readonly path?: string;
  readonly flatten?: boolean;
  readonly flattenExclude?: readonly string[];
}

/** `strake buildpack package`, `strake extension package`. */
export async function packageModule(
  name: string,
  flags: PackageFlags,
  c: CliContext & { readonly kind: ModuleKind },
): Promise<void> {
  const { io, kind, signal } = c;
  if (flags.format === 'file' && flags.publish)
    throw usage('--publish is for --format image: a file goes to no registry');
  const { config, folder } = packageConfig(flags, c);
  const host = hostPlatform(process);
  const asked = expandTargets(await packageTargets(flags, { config, folder, kind, host: host.os }));
  // The local store takes all of them, as a registry does.
  const several = asked.length > 1;
  const policy = pullPolicyOf(flags.pullPolicy, c);
  await using engine = await engineFor(mirroredSettings(c));
  await withProgress(c, { title: 'Packaging', name: `package ${name}`, ...flags }, async ({ onProgress }) => {
    await using shop = await engine.workshop({
      host: { credentials: hostCredentials(lazyCredentials(io)) },
      onProgress,
    });
    using opened = new DisposableStack();
    const sources = openSources(c, { shop, policy, registry: flags.buildpackRegistry, remote: flags.publish });
    const made: MadeImage[] = [];
    for (const target of asked) {
      const reading = {
        shop,
        random: io.random,
        kind,
        target,
        host,
        folder,
        sources,
        signal,
        keep: (resource: Disposable) => void opened.use(resource),
      };
      const { main, others } = await findModules(config.uri, reading);
      const parts: Module[] = [...others];
      for (const uri of config.dependencies) {
        const found = await findModules(uri, { ...reading, imagesOnly: several });
        parts.push(found.main, ...found.others);
      }
      const image = await makePackage(main, parts, {
        shop,
        // What is for any architecture says none in a file, as pack's do; registries want one.
        platform:
          target.arch === ''
            ? { os: target.os, architecture: flags.format === 'file' ? '' : 'amd64' }
            : platformFor(target, host),
        labels: labelsOfFlags(flags.label),
        flatten: flags.flatten ? { except: flags.flattenExclude ?? [] } : undefined,
        signal,
      });
      made.push({ target, image });
    }
    if (flags.format === 'file') for (const one of made) await writeFile(name, one, { ...c, several });
    else await writeImages(name, made, { shop, flags, io, signal });
  });
}

/** package.toml and the folder that its paths are relative to; without one, the module is what `--path` names. */
function packageConfig(
  flags: PackageFlags,
  c: CliContext & { readonly kind: ModuleKind },
): { readonly config: PackageConfig; readonly folder: string } {
  const { cwd } = c.io;
  if (flags.config !== undefined && flags.path !== undefined)
    throw usage('--config and --path are both given', 'Name the folder in package.toml, or leave --config out.');
  if (flags.config === undefined)
    return { config: { kind: c.kind, uri: flags.path ?? '.', dependencies: [], targets: [] }, folder: cwd };
  const file = resolve(cwd, flags.config);
  if (!existsSync(file)) throw usage(`read package config "${flags.config}": there is no such file`);
  const config = parsePackageConfig(readFileSync(file, 'utf8'), flags.config);
  if (config.kind !== c.kind)
    throw usage(
      `read package config "${flags.config}": it is for ${config.kind === 'extension' ? 'an extension' : 'a buildpack'}`,
      `Call "strake ${config.kind} package".`,
    );
  return { config, folder: dirname(file) };
}

/** Targets of the command line, else of package.toml, else of the module itself, else this machine's system. */
async function packageTargets(
  flags: PackageFlags,
  o: { config: PackageConfig; folder: string; kind: ModuleKind; host: string },
): Promise<readonly Target[]> {
  const asked = targetsOfFlags(flags.target);
  if (asked.length > 0) return asked;
  if (o.config.targets.length > 0) return o.config.targets;
  const toml = join(resolve(o.folder, o.config.uri), `${o.kind}.toml`);
  const fallback: Target = { os: o.host, arch: '', variant: '', distros: [] };
  if (!existsSync(toml)) return [fallback];
  const { parseModuleDescriptor } = await import('../../../frontend/buildpack/index.ts');
  const { targets } = parseModuleDescriptor(readFileSync(toml, 'utf8'), { kind: o.kind, file: toml });
  const named = targets.filter(({ os }) => os !== '');
  return named.length > 0 ? named : [fallback];
}

async function writeFile(
  name: string,
  { target, image }: { target: Target; image: Image },
  c: CliContext & { readonly several: boolean },
): Promise<void> {
  if (isPlace(name)) throw usage(`write "${name}": --format file makes a .cnb file`, 'Name a file.');
  const plain = /\.[^./]+$/.test(basename(name)) ? name : `${name}.cnb`;
  const path = c.several ? plain.replace(/(\.[^./]+)$/, `${targetSuffix(target)}$1`) : plain;
  await using sink = fileSink(resolve(c.io.cwd, path), c.io.random);
  const [written] = await writeOciArchive([{ image }], (chunk) => sink.write(chunk), {
    heads: 'cnb',
    signal: c.signal,
  });
  await sink.close();
  c.io.stdout.write(`${path}@${written?.digest ?? ''}\n`);
}
