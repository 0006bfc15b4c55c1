import type { Digest } from '../../../blob/index.ts';
import type { History, ImageConfig } from '../../../image/index.ts';

/** What Docker's API says of an image (GET /images/NAME/json), as far as it is of use here. */
export interface Inspected {
  readonly Id: string;
  readonly Architecture?: string | undefined;
  readonly Os?: string | undefined;
  readonly Variant?: string | undefined;
  readonly Author?: string | undefined;
  readonly Created?: string | undefined;
  readonly Config?: Readonly<Record<string, unknown>> | null | undefined;
  readonly RootFS?: { readonly Layers?: readonly string[] | undefined } | undefined;
}

const RUN = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const;

/** The config that an image of a daemon has, as far as the daemon tells it; `history` is what it says of that (GET /images/NAME/history). */
export function configOfInspect(image: Inspected, history: unknown): ImageConfig {
  const diffIds = (image.RootFS?.Layers ?? []) as readonly Digest[];
  const run = Object.fromEntries(
    RUN.flatMap((key) => (isSaid(image.Config?.[key]) ? [[key, image.Config?.[key]]] : [])),
  );
  return {
    ...(image.Created ? { created: image.Created } : {}),
    ...(image.Author ? { author: image.Author } : {}),
    architecture: image.Architecture ?? '',
    os: image.Os ?? '',
    ...(image.Variant ? { variant: image.Variant } : {}),
    config: run,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: historyOf(history, diffIds.length),
  };
}

/** The daemon's list has the newest first, and does not say which entries have no layer: those without size, where that comes out right; else it says nothing of use. */
function historyOf(said: unknown, layers: number): readonly History[] {
  const list = (Array.isArray(said) ? said : []) as readonly {
    readonly CreatedBy?: string;
    readonly Comment?: string;
    readonly Size?: number;
  }[];
  const all = list.toReversed();
  const full = all.length === layers ? all : all.filter(({ Size }) => Size !== 0);
  if (full.length !== layers) return [];
  return full.map(({ CreatedBy, Comment }) => ({
    ...(CreatedBy ? { created_by: CreatedBy } : {}),
    ...(Comment ? { comment: Comment } : {}),
  }));
}

function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
