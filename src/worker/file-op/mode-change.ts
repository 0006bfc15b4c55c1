import { fileOpError } from './errors.ts';

/** What a chmod makes of a mode; `isFolder` counts for `X`. */
export type ModeChange = (mode: number, isFolder: boolean) => number;

/** How many folders' permission bits a made parent gets: the octal value, or 0755. */
export function parentMode(mode: number | string | undefined): number {
  return (octal(mode) ?? 0o755) & 0o777;
}

/** A chmod by octal digits or by BSD's symbolic language (`u=rw,go-w,a+X`, setmode(3)), umask 0. Throws `MODE_INVALID`. */
export function modeChange(mode: number | string): ModeChange {
  const bits = octal(mode);
  if (bits !== undefined) {
    if (bits > 0o7777) throw invalid(mode);
    return () => bits;
  }
  const commands = parse(`${mode}`);
  return (before, isFolder) => {
    let now = before;
    for (const command of commands) now = command(now, before, isFolder);
    return now & 0o7777;
  };
}

function octal(mode: number | string | undefined): number | undefined {
  if (typeof mode === 'number') return mode;
  return mode !== undefined && /^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : undefined;
}

type Command = (now: number, before: number, isFolder: boolean) => number;

const WHO: Readonly<Record<string, number>> = { a: 0o6777, u: 0o4700, g: 0o2070, o: 0o0007 };
const PLAIN: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };
const SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const STICKY = 0o1000;

function parse(text: string): Command[] {
  const commands: Command[] = [];
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[+=-][rwxXstugo]*)+)$/.exec(clause);
    if (!match) throw invalid(text);
    let who = 0;
    for (const letter of match[1] ?? '') who |= WHO[letter] ?? 0;
    for (const [, op = '+', letters = ''] of match[2]?.matchAll(/([+=-])([rwxXstugo]*)/g) ?? [])
      commands.push(...operation(op, letters, who));
  }
  return commands;
}

/** One operator with its letters. */
function operation(op: string, letters: string, given: number): Command[] {
  const commands: Command[] = [];
  let who = given;
  let bits = 0;
  let conditional = 0;
  let assigned = false;
  const onlyOther = who !== 0 && (who & ~0o007) === 0;
  const flush = (): void => {
    if (bits !== 0 || (op === '=' && !assigned)) {
      commands.push(...setBits(op, who, bits));
      assigned = true;
    }
    if (conditional !== 0) commands.push(whenExecutable(who === 0 ? conditional : who & conditional));
    bits = 0;
    conditional = 0;
  };
  for (const letter of letters) {
    if (letter === 's') bits |= onlyOther ? 0 : 0o6000;
    else if (letter === 't') {
      if (onlyOther) continue;
      who |= STICKY;
      bits |= STICKY;
    } else if (letter === 'X') {
      if (op === '-') bits |= 0o111;
      else conditional |= 0o111;
    } else if (letter in PLAIN) bits |= PLAIN[letter]!;
    else {
      if (bits !== 0 || conditional !== 0) flush();
      assigned = true;
      commands.push(copyClass(op, who, SHIFT[letter]!));
    }
  }
  flush();
  return commands;
}

function setBits(op: string, who: number, bits: number): Command[] {
  const affected = who === 0 ? bits : who & bits;
  if (op === '-') return [(now) => now & ~affected];
  const cleared = who === 0 ? 0o6777 : who;
  return [...(op === '=' ? [(now: number) => now & ~cleared] : []), (now) => now | affected];
}

function whenExecutable(bits: number): Command {
  return (now, before, isFolder) => (isFolder || (before & 0o111) !== 0 ? now | bits : now);
}

/** Gives, takes or sets the permissions that one class has now to those in `who`. */
function copyClass(op: string, who: number, from: number): Command {
  const shifts = who === 0 ? [6, 3, 0] : [6, 3, 0].filter((shift) => (who & (0o4 << shift)) !== 0);
  return (now) => {
    const value = (now >> from) & 0o7;
    let result = now;
    for (const shift of shifts) {
      if (op === '=') result &= ~(0o7 << shift);
      result = op === '-' ? result & ~(value << shift) : result | (value << shift);
    }
    return result;
  };
}

function invalid(mode: number | string): Error {
  return fileOpError(
    'MODE_INVALID',
    `read mode "${typeof mode === 'number' ? mode.toString(8) : mode}": no such mode`,
    {
      remedy: 'Write octal digits up to 7777, or a symbolic mode such as "u=rw,go-w,a+X".',
    },
  );
}
