import type { Range } from './text.ts';

export interface OutlineArgument {
  readonly name: string;
  readonly value: string;
  readonly description: string;
  readonly range: Range;
}
