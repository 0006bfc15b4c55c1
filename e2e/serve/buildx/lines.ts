import type { Line } from './line.ts';
import { contexts, given, lines, outputs } from './lines-of-builds.ts';
import { asked, bakes, caches, kept, said } from './lines-of-words.ts';

export const LINES: readonly Line[] = [
  ...contexts,
  ...outputs,
  ...given,
  ...asked,
  ...caches,
  ...said,
  ...lines,
  ...bakes,
  ...kept,
];
