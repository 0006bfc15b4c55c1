import { type ImageConfig } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { compareApi, describeTarget, LABELS, targetMatches } from '../model/index.ts';
import type { ImageTarget, ModuleDescriptor } from '../model/types.ts';
import { moduleName, type Labels } from './labels.ts';
import type { BuilderParts } from './make-builder.ts';

/** Throws `CNB_PACKAGE_INVALID` where a module cannot be used on the builder: by its API, its stack or mixins, its target, or because its order names what is not there. */
export function checkOnBuilder(
  parts: BuilderParts,
  o: { config: ImageConfig; labels: Labels; all: readonly ModuleDescriptor[] },
): void {
  const names = new Set(o.all.map((one) => moduleName(one)));
  const ids = new Set(o.all.map(({ id }) => id));
  const base = targetOfImage(o.config, o.labels);
  for (const { descriptor } of parts.modules) {
    const fail = (detail: string, remedy?: string): Error =>
      buildpackError('CNB_PACKAGE_INVALID', `add ${descriptor.kind} "${moduleName(descriptor)}": ${detail}`, {
        remedy,
      });
    const { buildpack, platform } = parts.lifecycle.apis;
    const apis = [...buildpack.supported, ...buildpack.deprecated];
    if (!apis.includes(descriptor.api))
      throw fail(
        `Buildpack API ${descriptor.api} is incompatible with lifecycle ${parts.lifecycle.version} (Buildpack APIs ${apis.join(', ')})`,
      );
    const latest = platform.supported.toSorted(compareApi).at(-1);
    if (descriptor.kind === 'extension' && latest !== undefined && compareApi(latest, '0.13') < 0)
      throw fail(
        `extensions need a lifecycle with Platform API 0.13 or newer, this one has ${latest}`,
        'Name a newer lifecycle.',
      );
    for (const entry of descriptor.order.flat())
      if (entry.version === '' ? !ids.has(entry.id) : !names.has(moduleName(entry)))
        throw fail(`buildpack "${moduleName(entry)}" of its order is not found on the builder`);
    if (descriptor.order.length > 0) continue;
    checkStack(descriptor, { labels: o.labels, fail });
    if (descriptor.targets.length > 0 && !descriptor.targets.some((target) => targetMatches(base, target)))
      throw fail(
        `it is for ${descriptor.targets.map((target) => describeTarget(target)).join(', ')}, the build image is ${describeTarget(base)}`,
      );
  }
}

function checkStack({ stacks }: ModuleDescriptor, o: { labels: Labels; fail: (detail: string) => Error }): void {
  const stackId = o.labels[LABELS.stackId];
  if (stacks.length === 0 || stackId === undefined || stackId === '') return;
  const stack = stacks.find(({ id }) => id === stackId || id === '*');
  if (!stack) throw o.fail(`it does not support stack "${stackId}"`);
  const there = mixinsOf(o.labels);
  const missing = stack.mixins.filter((mixin) => !mixin.startsWith('run:') && !there.has(mixin)).toSorted();
  if (missing.length > 0) throw o.fail(`it requires missing mixins: ${missing.join(', ')}`);
}

function mixinsOf(labels: Labels): ReadonlySet<string> {
  try {
    const value: unknown = JSON.parse(labels[LABELS.stackMixins] ?? '[]');
    return new Set(Array.isArray(value) ? value.map(String) : []);
  } catch {
    return new Set();
  }
}

/** What an image is, for modules that have targets. */
export function targetOfImage(config: ImageConfig, labels: Labels): ImageTarget {
  const [name = '', version = ''] = [labels[LABELS.distroName], labels[LABELS.distroVersion]];
  const target = { os: config.os, arch: config.architecture, variant: config.variant ?? '' };
  return name === '' && version === ''
    ? { ...target, distro: { name: '', version: '' } }
    : { ...target, distro: { name, version } };
}
