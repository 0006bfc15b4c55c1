import { constants } from 'node:os';
import { machineError } from './errors.ts';

const RTMIN = 34;
const RTMAX = 64;

/** The number of a signal as STOPSIGNAL and `docker kill` take it: `SIGTERM`, `term`, `15`, `RTMIN+3`. Throws `RUN_INVALID`. */
export function signalNumber(text: string): number {
  const name = text.trim().toUpperCase().replace(/^SIG/, '');
  const known = (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  if (known !== undefined) return known;
  const real = /^(RTMIN\+|RTMAX-)(\d+)$/.exec(
    name.replace(/^(RTMIN|RTMAX)$/, name === 'RTMIN' ? 'RTMIN+0' : 'RTMAX-0'),
  );
  const number = real
    ? real[1] === 'RTMIN+'
      ? RTMIN + Number(real[2])
      : RTMAX - Number(real[2])
    : Number(name || Number.NaN);
  if (Number.isInteger(number) && number > 0 && number <= RTMAX) return number;
  throw machineError('RUN_INVALID', `send signal "${text}": there is no such signal`, {
    remedy: 'Write a name as SIGTERM, or a number.',
  });
}

/** `SIGTERM` of 15. */
export function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}
