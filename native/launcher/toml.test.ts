/** The launcher's TOML reader beside the npm library: what both read, and what both refuse. fast-check prints the seed of a failure. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { parse } from 'smol-toml';
import { encodeToml } from '../../src/base/index.ts';
import { LauncherRig } from './rig.ts';

const rig = new LauncherRig({ binary: join(import.meta.dirname, `launcher-${process.arch}`) });
after(() => rig[Symbol.dispose]());
const RUNS = process.env['STRAKE_TEST_FULL'] === '1' ? 4 : 1;

/** Whether the launcher can read this as metadata.toml; it is asked for no process, so that nothing is started. */
function reads(document: string): boolean {
  const { code, stderr } = rig.launch({ metadata: document });
  assert.equal(code, 82, stderr);
  if (stderr.endsWith('a command is required\n')) return true;
  assert.match(stderr, /^ERROR: failed to read metadata: %\/layers\/config\/metadata\.toml:\d+:\d+: .*\n$/);
  return false;
}

function libraryReads(document: string): boolean {
  try {
    parse(document, { integersAsBigInt: 'asNeeded' });
    return true;
  } catch {
    return false;
  }
}

const agree = (document: string): void => {
  assert.equal(reads(document), libraryReads(document), JSON.stringify(document));
};

/** Text without zero bytes (no argument can hold one) and lone surrogates. */
const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll('\0', '"\\\'\n'));
const eol = fc.constantFrom('\n', '\r\n');
const gap = fc.constantFrom('', '', ' ', '\t ');
const hex = (value: number, size: number): string => value.toString(16).padStart(size, '0');

/** One of the ways to write a text. */
const spelled = (value: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat(5), fc.infiniteStream(fc.nat(7))).map(([form, dice]) => {
    if (form === 0 && /^[^\x00-\x08\x0a-\x1f\x7f']*$/.test(value)) return `'${value}'`;
    if (form === 1 && /^[^\x00-\x08\x0b-\x1f\x7f']*$/.test(value)) return `'''\n${value}'''`;
    const lines = form === 2 || form === 3;
    const body = Array.from(value, (one) => {
      const code = one.codePointAt(0) ?? 0;
      const die = dice.next().value;
      if (code < 0x80 && die === 0) return `\\x${hex(code, 2)}`;
      if (code < 0x10000 && die === 1) return `\\u${hex(code, 4).toUpperCase()}`;
      if (die === 2) return `\\U${hex(code, 8)}`;
      if (lines && die === 3 && code > 0x20)
        return `\\ \t\n \n\t${one === '"' || one === '\\' || code === 0x7f ? `\\u${hex(code, 4)}` : one}`;
      if (lines && one === '\n') return one;
      const short = '\b\t\n\f\r\x1b"\\'.indexOf(one);
      if (short >= 0) return `\\${'btnfre"\\'[short]}`;
      return code < 0x20 || code === 0x7f ? `\\u${hex(code, 4)}` : one;
    }).join('');
    return lines
      ? `"""${form === 2 ? '\r\n' : ''}${form === 3 && body.startsWith('\n') ? '\n' : ''}${body}"""`
      : `"${body}"`;
  });

const spelledKey = (key: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...(/^[\w-]+$/.test(key) ? [key] : []),
    JSON.stringify(key),
    `"\\u${hex(key.charCodeAt(0), 4)}${key.slice(1)}"`,
  );

interface Written {
  readonly type: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
}

const list = (values: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.tuple(...values.map(spelled)), fc.constantFrom(' ', '', '\n', ' # note, "x"]\n', '\r\n\t'), fc.boolean())
    .map(
      ([items, space, comma]) =>
        `[${space}${items.join(`,${space}`)}${items.length > 0 && comma ? `${space},` : ''}${space}]`,
    );

/** The members of a process, as `key = value`. */
const members = (o: Written): fc.Arbitrary<readonly string[]> =>
  fc
    .tuple(
      ...['type', 'command', 'args', 'direct', 'note'].map(spelledKey),
      spelled(o.type),
      list(o.command),
      list(o.args),
      fc.constantFrom(
        '.x.y = 1',
        ' . "" = {}',
        ' = [[1], {a = 2}]',
        ' = 1979-05-27 07:32:00Z',
        ' = 0xdead_beef',
        ' = -1.5e-3',
      ),
      gap,
    )
    .map(([type, command, args, direct, note, typeText, commandText, argsText, noteText, space]) => [
      `${type}${space}=${space}${typeText}`,
      `${command} =${space}${commandText}`,
      `${args}${space}= ${argsText}`,
      `${direct} = true`,
      `${note}${noteText}`,
    ]);

/** metadata.toml with these processes, as tables or in braces. */
const document = (processes: readonly Written[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.tuple(...processes.map(members)), spelledKey('processes'), fc.boolean(), eol, gap)
    .map(([all, key, braces, end, space]) =>
      braces
        ? `${key} = [${all.map((lines) => `{${space}${lines.join(`,${space}`)}${space}}`).join(`,${end}`)}]${end}`
        : all.map((lines) => `${space}[[${space}${key}${space}]]${space}# [x]${end}${lines.join(end)}${end}`).join(end),
    );

const written: fc.Arbitrary<Written> = fc.record({
  type: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 6 }).map((value) => value.replaceAll('/', '.')),
  command: fc.array(text, { maxLength: 5 }).map((rest) => ['show', ...rest]),
  args: fc.array(text, { maxLength: 8 }),
});
const several = fc.uniqueArray(written, { minLength: 1, maxLength: 3, selector: ({ type }) => type });

test('random processes, however they are written, are started with exactly these arguments', () => {
  fc.assert(
    fc.property(
      several.chain((processes) => fc.tuple(fc.constant(processes), document(processes), fc.nat(processes.length - 1))),
      ([processes, metadata, index]) => {
        const chosen = processes[index]!;
        const read = parse(metadata) as unknown as { processes: readonly Written[] };
        assert.deepEqual(read.processes[index]?.args, chosen.args, metadata);
        const { shown, stderr } = rig.launch({ argv0: chosen.type, metadata });
        assert.deepEqual(shown?.args, [...chosen.command.slice(1), ...chosen.args], `${stderr}${metadata}`);
      },
    ),
    { numRuns: 100 * RUNS },
  );
});

test('random variables that an exec.d program tells are set', () => {
  const name = fc
    .stringMatching(/^[A-Z_][A-Z0-9_.-]{0,5}$/)
    .filter((value) => value !== '_' && !/^(?:PATH|PWD)$/.test(value));
  fc.assert(
    fc.property(
      fc
        .uniqueArray(fc.tuple(name, text), { maxLength: 6, selector: ([key]) => key })
        .chain((variables) =>
          fc.tuple(fc.constant(variables), fc.tuple(...variables.map(([, value]) => spelled(value)))),
        ),
      ([variables, values]) => {
        const told = variables.map(([key], i) => `"${key}" = ${values[i]}\n`).join('');
        const { shown, stderr } = rig.launch({
          argv0: 'web',
          files: { 'layers/a/l/exec.d/one': '#!/bin/sh\ncat ../told >&3\n', told },
          metadata:
            "buildpacks = [{id = 'a', api = '0.12'}]\nprocesses = [{type = 'web', command = 'show', direct = true}]\n",
        });
        for (const [key, value] of variables) assert.equal(shown?.env[key], value, `${stderr}${told}`);
      },
    ),
    { numRuns: 50 * RUNS },
  );
});

const SAMPLE = `# note
title = "a\\u00e9\\t" # note
"q k".'l' . b-2 = '''x
y'''
a = [1, 0x1F, 0o7, 0b1, 1_000, +1, -0, [ 2.5e-3, inf, -nan, 6.02E+23 ], { b = true, c.d = "" }, ]
m = """\\
   one \\
   "two"""""
[t]
x.y.z = 1
x.y.w = {}
[t.x.v]
[[l]]
[[l.m]]
n = 1
[l.o]
[[l.m]]
[u.v.w]
[u]
`;

test('the sample is read, with either end of line', () => {
  for (const sample of [SAMPLE, SAMPLE.replaceAll('\n', '\r\n'), `\ufeff${SAMPLE}`]) {
    assert.ok(libraryReads(sample));
    assert.ok(reads(sample));
  }
});

/** The library takes some of the wrong ones, so these are not left to chance. */
const DATES: Readonly<Record<string, boolean>> = {
  '1979-05-27T07:32:00.5Z': true,
  '1979-05-27t07:32:00z': true,
  '1979-05-27 07:32:00-08:00': true,
  '1979-05-27T07:32:60': true,
  '1979-05-27T07:32+00:00': true,
  '1979-05-27 ': true,
  '2000-02-29': true,
  '07:32:00.25': true,
  '23:59': true,
  '1979-05-27T': false,
  '1979-05-27T7:32:00': false,
  '1979-05-27  07:32:00': false,
  '1979-05-27T07:32:00.': false,
  '1979-05-27T07:32:00+8:00': false,
  '1979-05-27T07:32:00+24:00': false,
  '1979-05-27T07:32:00+0800': false,
  '1979-13-01': false,
  '1979-00-01': false,
  '1979-01-00': false,
  '1979-04-31': false,
  '1900-02-29': false,
  '1979-,5-27': false,
  '79-05-27': false,
  '24:00:00': false,
  '07:60:00': false,
  '07:32:61': false,
  '07:32:0': false,
  '07:32Z': false,
};

test('dates and times', () => {
  for (const [written, good] of Object.entries(DATES)) assert.equal(reads(`a = [${written}]\n`), good, written);
});

test('a damaged document is refused when the library refuses it', () => {
  const damage = fc.tuple(
    fc.nat(SAMPLE.length),
    fc.nat(3),
    fc.stringMatching(/^[[\]{}"'\\=.,#\n\r\t _:+\-0-2ebfxuU\x01]{0,2}$/),
  );
  const start = fc.nat(SAMPLE.length - 1);
  fc.assert(
    fc.property(
      start,
      fc.nat(SAMPLE.length),
      fc.array(damage, { minLength: 1, maxLength: 2 }),
      (from, size, damages) => {
        // Most from a beginning of a line, so that more of it is read.
        const line = from % 4 === 0 ? from : SAMPLE.lastIndexOf('\n', from) + 1;
        let sample = SAMPLE.slice(line, line + size);
        for (const [at, gone, put] of damages)
          sample = sample.slice(0, at % (sample.length + 1)) + put + sample.slice((at % (sample.length + 1)) + gone);
        agree(sample);
      },
    ),
    { numRuns: 250 * RUNS },
  );
});

test('what is defined twice', () => {
  const key = fc.constantFrom('a', 'b', 'a.b', 'b.a', 'a.b.c', 'a.a');
  const line = fc.oneof(
    key.map((name) => `${name} = 1`),
    key.map((name) => `${name} = {}`),
    key.map((name) => `${name} = { b.c = 1, b.d = 2 }`),
    key.map((name) => `${name} = [{}]`),
    key.map((name) => `[${name}]`),
    // Deeper ones let the library take a dotted key for a table that they opened on the way.
    fc.constantFrom('a', 'b', 'a.b', 'b.a', 'a.a').map((name) => `[[${name}]]`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => agree(`${lines.join('\n')}\n`)),
    { numRuns: 150 * RUNS },
  );
});

test('deep nesting ends with a message, not with the stack', () => {
  for (const open of ['[', '{a=']) {
    assert.ok(reads(`a = ${open.repeat(900)}${open === '[' ? '' : '1'}${(open === '[' ? ']' : '}').repeat(900)}\n`));
    assert.ok(!reads(`a = ${open.repeat(1_000_000)}`));
  }
  assert.ok(reads(`${'a.'.repeat(100_000)}a = 1\n`));
});

test('what the exporter writes', () => {
  const args = ['-c', 'echo "$X" \\ \u0007 é 😀\n', ''];
  const metadata = encodeToml({
    'buildpack-default-process-type': 'web',
    buildpacks: [{ id: 'a/b', version: '1', api: '0.12', homepage: 'x' }],
    processes: [{ type: 'web', command: ['show', 'x'], args, direct: true, 'buildpack-id': 'a/b' }],
    slices: [{ paths: ['*.js'] }],
  });
  assert.deepEqual(rig.launch({ argv0: 'web', metadata }).shown?.args, ['x', ...args]);
});
