import type { ImageConfig } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { LABELS, parseLifecycleMetadata } from '../model/index.ts';
import { flagOf, objectOf, textOf, textsOf } from '../model/loose.ts';
import { runImageNames } from './run-image.ts';

/** A buildpack or extension that took part. */
export interface AppModule {
  readonly id: string;
  readonly version: string;
  readonly homepage?: string | undefined;
}

export interface AppProcess {
  readonly type: string;
  readonly isDefault: boolean;
  /** Run by a shell. */
  readonly shell: boolean;
  readonly command: string;
  /** What follows the first word. */
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly execEnv: readonly string[];
}

/** What a buildpack said it has put in, before there were SBOM files. */
export interface AppBomEntry {
  readonly name: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly buildpack: { readonly id: string; readonly version: string };
}

/** What an app image says of itself. */
export interface AppFacts {
  /** Empty where it has none. */
  readonly stackId: string;
  readonly base: { readonly topLayer: string; readonly reference: string };
  /** The run image it was built on, and its mirrors. */
  readonly runImages: readonly string[];
  readonly buildpacks: readonly AppModule[];
  readonly extensions: readonly AppModule[];
  /** The default one first. */
  readonly processes: readonly AppProcess[];
  readonly rebasable: boolean;
  /** The bill of materials of the label, as it was before Platform API 0.9. */
  readonly bom: readonly AppBomEntry[];
  readonly execEnv?: string | undefined;
  /** diffID of the layer with the SBOMs. */
  readonly sbom?: string | undefined;
}

/** Reads the labels of an app image. Throws `CNB_LABEL_INVALID` for one that no buildpacks built. */
export function appFacts(config: ImageConfig, what: string): AppFacts {
  const run = config.config ?? {};
  const labels = run.Labels ?? {};
  const known = parseLifecycleMetadata(labels[LABELS.lifecycleMetadata] ?? '');
  if (!known)
    throw buildpackError(
      'CNB_LABEL_INVALID',
      `read "${what}": it was not built by buildpacks (it has no label ${LABELS.lifecycleMetadata})`,
      { remedy: 'Only app images that buildpacks built say what they are made of.' },
    );
  const build = json(labels[LABELS.buildMetadata]);
  const entry = run.Entrypoint?.[0] ?? '';
  const defaultType = entry.startsWith('/cnb/process/') ? entry.slice('/cnb/process/'.length) : undefined;
  const processes = list(build['processes']).map((process): AppProcess => {
    const { command } = process;
    const [first = '', ...more] = Array.isArray(command) ? textsOf(command) : [textOf(command)];
    return {
      type: textOf(process['type']),
      isDefault: process['type'] === defaultType,
      shell: !flagOf(process['direct']),
      command: first,
      args: [...more, ...textsOf(process['args'])],
      workingDir: textOf(process['working-dir']) || (run.WorkingDir ?? ''),
      execEnv: textsOf(process['exec-env']),
    };
  });
  const { topLayer, reference } = known.runImage;
  return {
    stackId: labels[LABELS.stackId] ?? '',
    base: { topLayer, reference },
    runImages: runImageNames(known),
    buildpacks: modules(build['buildpacks']),
    extensions: modules(build['extensions']),
    processes: processes.toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault)),
    rebasable: labels[LABELS.rebasable] !== 'false',
    bom: list(build['bom']).map((entry) => {
      const { id, version } = objectOf(entry['buildpack']) ?? {};
      return {
        name: textOf(entry['name']),
        version: textOf(entry['version']),
        metadata: objectOf(entry['metadata']) ?? {},
        buildpack: { id: textOf(id), version: textOf(version) },
      };
    }),
    execEnv: labels[LABELS.execEnv] ?? known.execEnv,
    sbom: known.sbom?.sha || undefined,
  };
}

function json(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    return objectOf(JSON.parse(text ?? '{}')) ?? {};
  } catch {
    return {};
  }
}

function list(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map((one: unknown) => objectOf(one)).filter((one) => one !== undefined) : [];
}

function modules(value: unknown): AppModule[] {
  return list(value).map((one) => ({
    id: textOf(one['id']),
    version: textOf(one['version']),
    homepage: textOf(one['homepage']) || undefined,
  }));
}
