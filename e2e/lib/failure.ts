import assert from 'node:assert/strict';
import { leftovers } from './leftovers.ts';
import { strake, type StrakeOptions, type StrakeResult } from './strake.ts';

export interface FailureExpected extends StrakeOptions {
  readonly code: number;
  /** All of these are in the final message. */
  readonly says: readonly (RegExp | string)[];
  /** `file:line` that the message begins with, and the line that is quoted as the culprit; for what a person wrote. */
  readonly place?: { readonly at: string; readonly line: string } | undefined;
  /** The remedy; must be there. */
  readonly help: RegExp | string;
}

/** Runs a command that is to fail, and checks what holds for every failure: one clear message with its remedy as the last thing said, nothing of our inside, nothing left over. */
export async function failsWith(
  args: readonly string[],
  o: FailureExpected,
): Promise<StrakeResult & { readonly message: string }> {
  const result = await strake(args, o);
  const { code, stdout, stderr } = result;
  const all = `strake ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`;
  assert.equal(code, o.code, all);
  assert.equal(stdout, '', `nothing is given out: ${all}`);
  assert.doesNotMatch(stderr, /^\s+at .+[:(]\d+:\d+\)?$/m, `no stack trace: ${all}`);
  assert.doesNotMatch(stderr, /defect of strake|node:internal|\[object |undefined/, all);
  assert.equal(stderr.match(/^error: /gm)?.length, 1, `one error: ${all}`);
  const message = stderr.slice(stderr.search(/^error: /m));
  assert.doesNotMatch(
    message,
    /\bE(?:NOENT|ACCES|PERM|EXIST|NOSPC|NOTDIR|ISDIR|CONNREFUSED|CONNRESET|NOTFOUND|ROFS|LOOP|PIPE)\b|\berrno\b|\bZ_[A-Z]+_ERROR\b/,
    `no raw errno: ${all}`,
  );
  for (const words of o.says)
    if (typeof words === 'string') assert.ok(message.includes(words), `says "${words}": ${all}`);
    else assert.match(message, words, all);
  if (o.place) {
    assert.ok(message.startsWith(`error: ${o.place.at}`), `begins with its place ${o.place.at}: ${all}`);
    assert.match(message, new RegExp(`^ +\\d+ \\| >>> ${escape(o.place.line)}$`, 'm'), `quotes the line: ${all}`);
  }
  const help = /^help: (.*)$/m.exec(message)?.[1];
  assert.ok(help !== undefined, `has a remedy: ${all}`);
  assert.match(help, /^[A-Z"].*[.?]$/, `the remedy is a sentence: ${all}`);
  if (typeof o.help === 'string') assert.ok(help.includes(o.help), `helps with "${o.help}": ${all}`);
  else assert.match(help, o.help, all);
  assert.deepEqual(leftovers(o.root), [], all);
  return { ...result, message };
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
