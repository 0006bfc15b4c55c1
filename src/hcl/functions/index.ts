import { collectionFunctions } from './collections.ts';
import type { FunctionSpec } from './call.ts';
import { encodingFunctions } from './encoding.ts';
import { networkFunctions } from './networks.ts';
import { numberFunctions } from './numbers.ts';
import { define } from './parameters.ts';
import { stringFunctions } from './strings.ts';
import { timeFunctions } from './times.ts';
import { versionFunctions } from './versions.ts';

/** The functions that buildx gives to bake files (docs/bake-stdlib.md), but for `try`, `can` and `convert`, which the evaluator knows. */
export const standardFunctions: ReadonlyMap<string, FunctionSpec> = new Map([
  ...Object.entries(numberFunctions),
  ...Object.entries(collectionFunctions),
  ...Object.entries(stringFunctions),
  ...Object.entries(encodingFunctions),
  ...Object.entries(timeFunctions),
  ...Object.entries(networkFunctions),
  ...Object.entries(versionFunctions),
  ['homedir', define([], (_, { home }) => home)],
]);
