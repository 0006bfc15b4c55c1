import type { Cause } from '../../../engine/index.ts';

/** Why a step runs, in a few words: its root cause. Undefined where that goes without saying, or is not known. `numberOf` gives a step's number on this screen. */
export function missText(
  causes: readonly Cause[] | undefined,
  numberOf: (vertex: string) => number | undefined,
): string | undefined {
  const [cause] = causes ?? [];
  switch (cause?.kind) {
    case 'files': {
      const count = cause.changed + cause.added + cause.removed;
      const [first] = cause.paths;
      if (!first) return undefined;
      return `${first.path} ${first.change}${count === 1 ? '' : `, and ${count - 1} more`}`;
    }
    case 'content':
      return 'what it reads changed';
    case 'variable':
      return `${cause.from} ${cause.name} changed`;
    case 'part':
      return `its ${cause.name} changed`;
    case 'instruction':
      return 'the instruction changed';
    case 'new':
      return 'a new step';
    case 'evicted':
      return cause.lost ? 'its result is gone' : 'its entry was evicted';
    case 'follows': {
      const number = numberOf(cause.step);
      return number === undefined ? undefined : `because of #${number}`;
    }
    default:
      return undefined;
  }
}
