import type { ModuleKind, Target } from '../model/types.ts';
import { strictTargets } from './config-entries.ts';
import { StrictTable } from './strict-toml.ts';

/** package.toml: what a buildpackage or extension package is made of (pack buildpackage/config_reader.go). */
export interface PackageConfig {
  readonly kind: ModuleKind;
  /** Locator of the main module, `.` by default; paths are relative to the file. */
  readonly uri: string;
  /** Locators of all else that is in it. */
  readonly dependencies: readonly string[];
  /** Of a composite. */
  readonly targets: readonly Target[];
}

/** Reads package.toml. Throws `CNB_FILE_INVALID` with the place, also for a key that is not known; `INVALID_TOML`. */
export function parsePackageConfig(text: string, file: string): PackageConfig {
  const root = StrictTable.read(text, file);
  const buildpack = root.table('buildpack')?.string('uri');
  const extension = root.table('extension')?.string('uri');
  if (root.has('buildpack') && root.has('extension'))
    throw root.invalid('extension', 'both a buildpack and an extension are to be packaged', 'Write two files.');
  const kind = root.has('extension') ? 'extension' : 'buildpack';
  const uri = kind === 'extension' ? extension : buildpack;
  const dependencies = root.tables('dependencies').map((one) => {
    const [at, image] = [one.string('uri'), one.string('image')];
    if (at !== undefined && image !== undefined)
      throw one.invalid('image', 'a dependency has both "uri" and "image"', 'Write uri = "docker://…" alone.');
    if (at !== undefined && at !== '') return at;
    if (image === undefined || image === '') throw one.invalid('uri', 'a dependency has no "uri"');
    return `docker://${image}`;
  });
  const targets = strictTargets(root);
  const os = root.table('platform')?.string('os') ?? '';
  if (os !== '' && os !== 'linux' && os !== 'windows')
    throw root.invalid('platform', `"platform.os" is "${os}"`, 'Use [[targets]], as os = "linux".');
  root.end();
  if ((root.has('buildpack') || root.has('extension')) && (uri === undefined || uri === ''))
    throw root.invalid(kind, `"${kind}.uri" is missing`, `Write [${kind}] with uri = ".".`);
  return {
    kind,
    uri: uri ?? '.',
    dependencies,
    targets: targets.length === 0 && os !== '' ? [{ os, arch: '', variant: '', distros: [] }] : targets,
  };
}
