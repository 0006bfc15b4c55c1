import type { Line } from './line.ts';
import { contexts, given, lines, outputs } from './lines-of-builds.ts';
import { asked, bakes, caches, kept, policed, said } from './lines-of-words.ts';

export const LINES: readonly Line[] = [
  ...contexts,
  ...outputs,
  ...given,
  ...asked,
  ...policed,
  ...caches,
  ...said,
  ...lines,
  ...bakes,
  ...kept,
];
