import { goJson, type GoValue } from '../../../image/index.ts';
import { encodeLifecycleMetadata, parseLifecycleMetadata } from '../model/index.ts';

export interface NewRunImage {
  readonly topLayer: string;
  readonly reference: string;
  /** Set where it is another image than the label knew: that one's name, without mirrors. */
  readonly image?: string | undefined;
}

/** The label `io.buildpacks.lifecycle.metadata` with another run image. What is not known, or of an older shape (`app` as an object), stays as it is. */
export function editRunImage(label: string, { topLayer, reference, image }: NewRunImage): string {
  const known = parseLifecycleMetadata(label);
  const base = { topLayer, reference };
  if (known && encodeLifecycleMetadata(known) === label)
    return encodeLifecycleMetadata(
      image === undefined
        ? { ...known, runImage: { ...known.runImage, ...base } }
        : { ...known, runImage: { ...base, image }, stack: { runImage: { image, mirrors: [] } } },
    );
  const top = JSON.parse(label) as Record<string, unknown>;
  const { mirrors, ...before } = { ...(top['runImage'] as Record<string, unknown> | undefined) };
  const edited =
    image === undefined
      ? { ...before, ...base, ...(mirrors === undefined ? {} : { mirrors }) }
      : { ...before, ...base, image };
  const stack = image === undefined ? {} : { stack: { runImage: { image } } };
  return goJson(inOrder({ ...top, runImage: edited, ...stack }));
}

/** Objects as Go structs: members stay in the order they are in. */
function inOrder(value: unknown): GoValue {
  if (Array.isArray(value)) return value.map((item: unknown) => inOrder(item));
  if (typeof value !== 'object' || value === null) return value as GoValue;
  return new Map(Object.entries(value).map(([key, member]) => [key, inOrder(member)]));
}
