import { parseTargets, type Target } from '../../../frontend/buildpack/index.ts';
import { keyValues } from '../parse/values.ts';

export function targetsOfFlags(texts: readonly string[]): readonly Target[] {
  return texts.flatMap((text) => parseTargets(text));
}

export function labelsOfFlags(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(keyValues(texts, { what: 'label' }));
}
