import {
  parseAnalyzed,
  parseGroup,
  parsePlan,
  type Analyzed,
  type DetectedGroup,
  type Phase,
} from '../../frontend/buildpack/index.ts';
import { openCache } from './cache/open-cache.ts';
import type { PhaseContext } from './context.ts';
import { needText, readText } from './disk-files.ts';
import { lifecycleError } from './errors.ts';
import type { PhaseName } from './flag.ts';
import { findImage } from './find-image.ts';
import type { Inputs } from './inputs.ts';
import { builderRunImages, outputNames } from './names.ts';

/** What a program does in which phase, for its exit code. */
export type During = <T>(phase: Phase, work: () => Promise<T>) => Promise<T>;

export interface Program {
  readonly phase: Phase;
  /** What stands after the flags in its usage line. */
  readonly usage: string;
  /** Runs programs of buildpacks: never as root. */
  readonly runsBuildpacks: boolean;
  /** Root becomes the user of the build before it does anything. */
  readonly dropsRoot: boolean;
  /** Names of images that it will ask registries for. */
  images(inputs: Inputs): readonly string[];
  /** Folders that the user of the build is given. */
  folders(inputs: Inputs): readonly string[];
  /** To an exit code; none is 0. */
  run(c: PhaseContext, o: { readonly scratch: string; readonly during: During }): Promise<number | void>;
}

const none = (): readonly string[] => [];
const said = (inputs: Inputs, ...names: readonly string[]): readonly string[] =>
  names.map((name) => inputs.text(name)).filter((text) => text !== '');
const runImages = (inputs: Inputs): readonly string[] =>
  builderRunImages(inputs).flatMap(({ image, mirrors }) => [image, ...mirrors]);

const analyzer: Program = {
  phase: 'analyze',
  usage: '<image>',
  runsBuildpacks: false,
  dropsRoot: true,
  images: (inputs) => [
    ...inputs.words,
    ...inputs.list('tag'),
    ...said(inputs, 'previous-image', 'run-image', 'cache-image'),
    ...runImages(inputs),
  ],
  folders: (inputs) => [inputs.path('layers'), inputs.path('launch-cache')],
  async run(c) {
    const names = namesOf(c.inputs);
    const { analyze } = await import('./phases/analyze.ts');
    await analyze(names, { ...c, restoreSbom: !(c.inputs.since('0.9') && c.inputs.bool('skip-layers')) });
  },
};

const detector: Program = {
  phase: 'detect',
  usage: '',
  runsBuildpacks: true,
  dropsRoot: false,
  images: none,
  folders: none,
  async run(c, o) {
    noWords(c.inputs);
    const { detect } = await import('./phases/detect.ts');
    await detect(c, { ...o, generates: true });
  },
};

const restorer: Program = {
  phase: 'restore',
  usage: '',
  runsBuildpacks: false,
  dropsRoot: true,
  images: (inputs) => [...said(inputs, 'cache-image', 'build-image'), ...analyzedRunImage(inputs)],
  folders: (inputs) => [
    inputs.path('layers'),
    inputs.path('cache-dir'),
    inputs.path('layout-dir'),
    // The extender's, kaniko's place for it.
    '/kaniko',
  ],
  async run(c) {
    noWords(c.inputs);
    const { restore } = await import('./phases/restore.ts');
    const { restoreImages } = await import('./phases/restore-images.ts');
    const group = groupOf(c.inputs);
    await restore(c, {
      analyzed: await restoreImages(c, await analyzedOf(c), group),
      group: group.group,
      cache: await openCache(c),
      skipLayers: c.inputs.bool('skip-layers'),
    });
  },
};

const builder: Program = {
  phase: 'build',
  usage: '',
  runsBuildpacks: true,
  dropsRoot: false,
  images: none,
  folders: none,
  async run(c, o) {
    noWords(c.inputs);
    const { build } = await import('./phases/build.ts');
    const { readAnalyzed } = await import('./phases/detect.ts');
    const path = c.inputs.path('plan');
    const plan = parsePlan(needText(path, 'the plan of the build'), path);
    await build(c, {
      ...o,
      detected: { ...groupOf(c.inputs), plan },
      target: readAnalyzed(c)?.runImage?.target,
    });
  },
};

const exporter: Program = {
  phase: 'export',
  usage: '<image> [<image>...]',
  runsBuildpacks: false,
  dropsRoot: true,
  images: (inputs) => [...inputs.words, ...said(inputs, 'cache-image', 'run-image', 'image'), ...runImages(inputs)],
  folders: (inputs) => [
    inputs.path('layers'),
    inputs.path('cache-dir'),
    inputs.path('layout-dir'),
    inputs.path('launch-cache'),
  ],
  async run(c) {
    const names = outputNames(c.inputs.words, { most: Infinity });
    const { exportImage } = await import('./phases/export.ts');
    const analyzed = await analyzedOf(c);
    await exportImage(c, {
      names,
      analyzed,
      group: groupOf(c.inputs).group,
      cache: await openCache(c),
      previous: await findImage(analyzed.previousImage ?? '', c),
    });
  },
};

const creator: Program = {
  phase: 'export',
  usage: '<image>',
  runsBuildpacks: true,
  dropsRoot: true,
  images: (inputs) => analyzer.images(inputs),
  folders: (inputs) => [
    inputs.path('layers'),
    inputs.path('cache-dir'),
    inputs.path('layout-dir'),
    inputs.path('launch-cache'),
  ],
  async run(c, o) {
    const { create } = await import('./phases/create.ts');
    await create(namesOf(c.inputs), c, o);
  },
};

const rebaser: Program = {
  phase: 'rebase',
  usage: '<image> [<image>...]',
  runsBuildpacks: false,
  dropsRoot: true,
  images: (inputs) => [...inputs.words, ...said(inputs, 'previous-image', 'run-image', 'image')],
  folders: none,
  async run(c) {
    const names = outputNames(c.inputs.words, { most: Infinity });
    const { rebase } = await import('./phases/rebase.ts');
    await rebase(names, c);
  },
};

const extender: Program = {
  phase: 'extend',
  usage: '',
  runsBuildpacks: false,
  dropsRoot: false,
  images: none,
  folders: none,
  async run(c, { scratch }) {
    noWords(c.inputs);
    const { extend } = await import('./phases/extend.ts');
    return extend(c, { analyzed: await analyzedOf(c), group: groupOf(c.inputs), scratch });
  },
};

export const PROGRAMS: Readonly<Record<PhaseName, Program>> = {
  analyzer,
  detector,
  restorer,
  extender,
  builder,
  exporter,
  creator,
  rebaser,
};

/** The image, and its other names. */
function namesOf(inputs: Inputs): readonly string[] {
  const [image = ''] = outputNames(inputs.words, { most: 1 });
  return outputNames([image, ...inputs.list('tag')], { most: Infinity });
}

function noWords({ words }: Inputs): void {
  if (words.length === 0) return;
  throw lifecycleError(
    'LIFECYCLE_FLAG_INVALID',
    `parse arguments: received unexpected arguments: ${words.map((word) => `"${word}"`).join(' ')}`,
    { remedy: 'It takes flags only.' },
  );
}

/** The run image that an extension may have named, and the mirrors that it may be read from. */
function analyzedRunImage(inputs: Inputs): readonly string[] {
  const path = inputs.path('analyzed');
  const text = readText(path);
  const name = text === undefined ? undefined : parseAnalyzed(text, path).runImage?.image;
  if (name === undefined) return [];
  const entry = builderRunImages(inputs).find(({ image, mirrors }) => [image, ...mirrors].includes(name));
  return [name, ...(entry ? [entry.image, ...entry.mirrors] : [])];
}

function groupOf(inputs: Inputs): DetectedGroup {
  const path = inputs.path('group');
  return parseGroup(needText(path, 'the group of buildpacks'), path);
}

async function analyzedOf(c: PhaseContext): Promise<Analyzed> {
  const { readAnalyzed } = await import('./phases/detect.ts');
  const { EMPTY_LIFECYCLE_METADATA } = await import('../../frontend/buildpack/index.ts');
  return readAnalyzed(c) ?? { metadata: EMPTY_LIFECYCLE_METADATA };
}
