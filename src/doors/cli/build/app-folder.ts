import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';

/** The flags of `strake build` that are about buildpacks, as commander gives them. */
export interface BuildpackFlags {
  readonly builder?: string | undefined;
  readonly buildpack?: readonly string[] | undefined;
  readonly preBuildpack?: readonly string[] | undefined;
  readonly postBuildpack?: readonly string[] | undefined;
  readonly extension?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
  readonly defaultProcess?: string | undefined;
  readonly execEnv?: string | undefined;
  readonly runImage?: string | undefined;
  readonly previousImage?: string | undefined;
  readonly buildCache?: readonly string[] | undefined;
  readonly cacheImage?: string | undefined;
  readonly cacheVolume?: string | undefined;
  readonly clearCache?: boolean | undefined;
  readonly byBuildpacks?: boolean | undefined;
  readonly disableSystemBuildpacks?: boolean | undefined;
  readonly pullPolicy?: string | undefined;
  readonly creationTime?: string | undefined;
  readonly sbomOutputDir?: string | undefined;
  readonly reportOutputDir?: string | undefined;
  readonly stepCache?: string | undefined;
  readonly volume?: readonly string[] | undefined;
  readonly workspace?: string | undefined;
  readonly descriptor?: string | undefined;
  readonly binding?: readonly string[] | undefined;
  readonly buildpackRegistry?: string | undefined;
}

/** Files by which the embedded buildpacks, or a project, are known. */
const KNOWN = [
  'project.toml',
  'package.json',
  'requirements.txt',
  'pyproject.toml',
  'setup.py',
  'main.py',
  'app.py',
  'Procfile',
  'index.html',
  'public/index.html',
  'dist/index.html',
  'site/index.html',
  '_site/index.html',
  'build/index.html',
];

/** `--creation-time`: seconds since 1970, or `now`. Throws `USAGE`. */
export function creationTime(text: string, { clock }: Pick<Io, 'clock'>): number {
  if (text === 'now') return Math.floor(clock.now() / 1000);
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw usage(`read --creation-time "${text}": it is no time`, 'Write seconds since 1970, or "now".');
}

/** True where an application is to be built by buildpacks: a flag says so, or the folder has no Dockerfile and something that buildpacks know. */
export function isForBuildpacks(
  place: string,
  flags: BuildpackFlags & { readonly file?: string | undefined },
  { cwd }: Pick<Io, 'cwd'>,
): boolean {
  if (flags.byBuildpacks === true) return true;
  if (flags.file !== undefined) return false;
  if (flags.builder !== undefined || (flags.buildpack ?? []).length > 0) return true;
  const folder = resolve(cwd, place);
  const has = (name: string): boolean => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true;
  return !['Dockerfile', 'dockerfile', 'Containerfile'].some(has) && KNOWN.some(has);
}
