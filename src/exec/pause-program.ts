import { smallestProgram } from './foreign.ts';

/** Programs that do nothing until they are killed, by Node's names of architectures: for a process that only keeps a root mounted. pause(2); ppoll(2) without anything to wait for, where there is no pause. */
export const PAUSE_PROGRAMS: Readonly<Record<string, Uint8Array>> = {
  x64: smallestProgram({ bits: 64, number: 62, flags: 0, code: 'b822000000 0f05 ebf7' }),
  arm64: smallestProgram({
    bits: 64,
    number: 183,
    flags: 0,
    code: '000080d2 010080d2 020080d2 030080d2 280980d2 010000d4 faffff17',
  }),
};
