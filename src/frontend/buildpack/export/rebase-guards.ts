import type { ImageConfig } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { apiAtLeast, describeTarget, LABELS, parseApi } from '../model/index.ts';
import type { ImageTarget } from '../model/types.ts';

type Named = { readonly name: string; readonly config: ImageConfig };

/** Whether an app image may be put on another base. Gives what did not fit and was forced; throws `CNB_REBASE_FAILED` for what was not. */
export function checkRebase(app: Named, base: Named, o: { force?: boolean | undefined }): string[] {
  const api = app.config.config?.Env?.find((line) => line.startsWith('CNB_PLATFORM_API='))?.slice(17) ?? '';
  const fail = (detail: string, remedy: string): Error =>
    buildpackError('CNB_REBASE_FAILED', `rebase "${app.name}": ${detail}`, { remedy });
  const parsed = parseApi(api);
  if (api !== '' && parsed === undefined)
    throw fail(`its CNB_PLATFORM_API is "${api}", which is no version`, 'Build the image anew.');
  if (parsed === undefined || !apiAtLeast(parsed, '0.12')) {
    const problem = stackProblem(app.config, base.config);
    if (problem) throw fail(problem, 'Use a run image of the stack that the app was built for.');
    return [];
  }
  const warnings: string[] = [];
  const guard = (problem: string): void => {
    if (o.force !== true)
      throw fail(
        `${problem}; please provide -force to override`,
        'Build the app anew, or use --force if you know that it works.',
      );
    warnings.push(problem);
  };
  if (label(app.config, LABELS.rebasable) === 'false') guard('app image is not marked as rebasable');
  const [wanted, given] = [imageTarget(app.config), imageTarget(base.config)];
  if (!satisfies(given, wanted))
    guard(
      `unable to satisfy target os/arch constraints; new run image: ${describeTarget(given)}, old run image: ${describeTarget(wanted)}`,
    );
  return warnings;
}

/** What an image says that it is made for. */
export function imageTarget(config: ImageConfig): ImageTarget {
  const { os, architecture, variant = '' } = config;
  const id = label(config, LABELS.baseId);
  const name = label(config, LABELS.distroName);
  const version = label(config, LABELS.distroVersion);
  const distro = name === undefined && version === undefined ? undefined : { name: name ?? '', version: version ?? '' };
  return { id, os, arch: architecture, variant, distro };
}

/** Variant and distribution of the new base need only fit where it says them (lifecycle platform.TargetSatisfiedForRebase). */
function satisfies(base: ImageTarget, app: ImageTarget): boolean {
  if (base.os !== app.os || base.arch !== app.arch) return false;
  if (base.variant !== '' && app.variant !== '' && base.variant !== app.variant) return false;
  if (!base.distro) return true;
  const { name, version } = base.distro;
  return (
    app.distro !== undefined &&
    (name === '' || name === app.distro.name) &&
    (version === '' || version === app.distro.version)
  );
}

function stackProblem(app: ImageConfig, base: ImageConfig): string | undefined {
  const [wanted, given] = [label(app, LABELS.stackId), label(base, LABELS.stackId)];
  if (!wanted) return 'stack not defined on app image';
  if (!given) return 'stack not defined on new base image';
  if (wanted !== given) return `incompatible stack: "${given}" is not compatible with "${wanted}"`;
  const there = new Set(mixins(base));
  const missing = mixins(app).filter((mixin) => !there.has(mixin));
  return missing.length > 0 ? `missing required mixin(s): ${missing.sort().join(', ')}` : undefined;
}

/** Without the prefix that says for which image of the stack they are. */
function mixins(config: ImageConfig): string[] {
  try {
    const list: unknown = JSON.parse(label(config, LABELS.stackMixins) ?? '[]');
    if (!Array.isArray(list)) return [];
    return list.filter((one) => typeof one === 'string').map((one) => one.replace(/^[^:]*:/, ''));
  } catch {
    return [];
  }
}

function label(config: ImageConfig, name: string): string | undefined {
  return config.config?.Labels?.[name];
}
