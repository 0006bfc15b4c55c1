import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../base/index.ts';
import { expand, type ExpandOptions } from './expand.ts';

const VARIABLES: Readonly<Record<string, string>> = {
  HOME: '/home',
  NULL: '',
  한: '값',
  P: '/usr/local/lib/a.tar.gz',
  XY: 'xxyy',
  SPACED: ' ab  c ',
  STAR: '*a?b\\c',
  LINES: 'a\nb',
};
const env = { get: (name: string) => (Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined) };
const expanded = (text: string, o: Partial<ExpandOptions> = {}): string =>
  expand(text, env, { escape: '\\', ...o }).text;

/** Each form of facts 1.3: source, result. */
const CASES: readonly (readonly [string, string])[] = [
  ['plain', 'plain'],
  ['', ''],
  // $x and ${x}
  ['a$HOME.', 'a/home.'],
  ['a${HOME}b', 'a/homeb'],
  ['a${NONE}b', 'ab'],
  ['$한!', '값!'],
  ['$.', '$.'],
  ['$', '$'],
  ['a$', 'a$'],
  // special and positional parameters
  ['$1x', 'x'],
  ['$999aaa', 'aaa'],
  ['${12:-d}', 'd'],
  ['$@@', '@'],
  ['${@}', ''],
  ['${-:-d}', 'd'],
  ['${#}', ''],
  ['$$', ''],
  ['${?}', ''],
  ['$0', ''],
  // default
  ['${NONE-w}', 'w'],
  ['${NULL-w}', ''],
  ['${NULL:-w}', 'w'],
  ['${HOME:-w}', '/home'],
  ['${NONE:-$HOME}', '/home'],
  ['${NONE:-${NONE:-${HOME}}}', '/home'],
  ['${NONE:-}', ''],
  ['${NONE:-\\${HOME}z}', '${HOMEz}'],
  ['${NONE:-a b}', 'a b'],
  ['${NONE:-{x}', '{x'],
  ['${NONE:-x}}', 'x}'],
  // alternative
  ['${HOME+w}', 'w'],
  ['${NULL+w}', 'w'],
  ['${NULL:+w}', ''],
  ['${NONE+w}', ''],
  ['${HOME:+${HOME}:}x', '/home:x'],
  // required
  ['${HOME?m}', '/home'],
  ['${NULL?m}', ''],
  ['${HOME:?m}', '/home'],
  // prefixes and suffixes
  ['${P#*/}', 'usr/local/lib/a.tar.gz'],
  ['${P##*/}', 'a.tar.gz'],
  ['${P%.*}', '/usr/local/lib/a.tar'],
  ['${P%%.*}', '/usr/local/lib/a'],
  ['${XY#?}', 'xyy'],
  ['${XY#}', 'xxyy'],
  ['${XY##}', 'xxyy'],
  ['${XY%}', 'xxyy'],
  ['${XY#*x*y}', 'y'],
  ['${XY##*x*y}', ''],
  ['${XY#[x]}', 'xxyy'],
  ['${XY#$NONE}', 'xxyy'],
  ['${XY#z}', 'xxyy'],
  ['${STAR#\\*}', 'a?b\\c'],
  ['${STAR%\\?*}', '*a'],
  ['${STAR%\\\\c}', '*a?b'],
  ['${LINES#*b}', 'a\nb'],
  ['${NONE#x}', ''],
  // replacement
  ['${P/usr/opt}', '/opt/local/lib/a.tar.gz'],
  ['${P//\\//:}', ':usr:local:lib:a.tar.gz'],
  ['${P//l*l/_}', '/usr/_ib/a.tar.gz'],
  ['${XY/x/$HOME}', '/homexyy'],
  ['${XY//x/}', 'yy'],
  ['${XY/y*/}', 'xx'],
  ['${XY//?/.}', '....'],
  ['${XY/$NULL/w}', 'wxxyy'],
  ['${XY//*/w}', 'w'],
  ['${XY//x/$1}', 'yy'],
  // quotes and escapes
  ["'$HOME'", '$HOME'],
  ["'\\$HOME'", '\\$HOME'],
  ['"$HOME"', '/home'],
  ['"\'$HOME\'"', "'/home'"],
  ['\\$HOME', '$HOME'],
  ['\\\\$HOME', '\\/home'],
  ['"\\$HOME \\" \\n"', '$HOME " \\n'],
  ["he\\'llo", "he'llo"],
  ['a\\tb', 'atb'],
  ['"a\\tb"', 'a\\tb'],
  ['end\\', 'end'],
  ['"${NONE:-"a b"}"', 'a b'],
  ['<', '<'],
  ['a << b', 'a << b'],
];

test('every form of expansion', () => {
  for (const [source, wanted] of CASES) assert.equal(expanded(source), wanted, source);
});

test('the escape character may be a backtick', () => {
  assert.equal(expanded('C:\\dir\\$HOME `$HOME', { escape: '`' }), 'C:\\dir\\/home $HOME');
});

/** Source and a part of the message. */
const FAULTS: readonly (readonly [string, RegExp])[] = [
  ['${HOME', /missing '}'/],
  ['${', /missing '}'/],
  ['${NONE:-x', /missing '}'/],
  ['${XY/x', /missing '\/'/],
  ['${XY/x/y', /missing '}'/],
  ['${}', /bad substitution/],
  ['${{a}', /bad substitution/],
  ['${:-a}', /bad substitution/],
  ['${.}', /unsupported modifier \(\.\)/],
  ['${HOME:=x}', /unsupported modifier \(:=\)/],
  ['${HOME=x}', /unsupported modifier \(=\)/],
  ['${HOME:#x}', /unsupported modifier \(:#\)/],
  ['${HOME:%x}', /unsupported modifier \(:%\)/],
  ['${HOME!x}', /unsupported modifier \(!\)/],
  ['${NONE?}', /NONE: is not allowed to be unset/],
  ['${NONE:?}', /NONE: is not allowed to be unset/],
  ['${NULL:?}', /NULL: is not allowed to be empty/],
  ['${NONE:?give $HOME}', /NONE: give \/home/],
  ['${XY#\\x}', /invalid pattern .* invalid escape/],
  ["it's", /matching single-quote/],
  ['"open', /matching double-quote/],
  ['${a:-'.repeat(5000), /nested too deeply/],
];

test('every fault is named', () => {
  for (const [source, wanted] of FAULTS)
    assert.throws(
      () => expanded(source),
      (error) =>
        hasCode(error, 'DOCKERFILE_EXPANSION') &&
        error.message.startsWith('failed to process "') &&
        wanted.test(error.message),
      source,
    );
});

test('words are split after expansion, but not inside quotes', () => {
  const words = (text: string): readonly string[] => expand(text, env, { escape: '\\' }).words;
  assert.deepEqual(words('x$SPACED!'), ['x', 'ab', 'c', '!']);
  assert.deepEqual(words('x"$SPACED"!'), ['x ab  c !']);
  assert.deepEqual(words('a\\ b c'), ['a b', 'c']);
  assert.deepEqual(words('80 ${NONE:-81 82}/tcp'), ['80', '81', '82/tcp']);
  assert.deepEqual(words('a${NONE:-b}c'), ['abc']);
  assert.deepEqual(words('   '), []);
  assert.deepEqual(words('cat << EOF'), ['cat', '<< EOF']);
});

test('what was found and what was not is told', () => {
  const found = expand('$HOME ${NONE:-$한} ${NULL:+$UNSEEN}', env, { escape: '\\' });
  assert.deepEqual([...found.matched].sort(), ['HOME', 'NULL', '한'].sort());
  assert.deepEqual([...found.unmatched].sort(), ['NONE', 'UNSEEN']);
});

test('for display, quotes and unset variables stay', () => {
  const how = { rawQuotes: true, skipUnset: true };
  assert.equal(
    expanded('echo "$HOME" \'$HOME\' $NONE ${NONE:-x} ${NONE#a}', how),
    'echo "/home" \'$HOME\' $NONE ${NONE:-x} ${NONE#a}',
  );
  assert.equal(expanded('${NONE/a/b} ${NONE}', how), '${NONE/a/b} ${NONE}');
});

test('in the body of a heredoc quotes are ordinary characters', () => {
  assert.equal(expanded('it\'s "$HOME" \\$HOME', { skipQuotes: true }), 'it\'s "/home" $HOME');
});

test('a pattern of many stars takes linear time', () => {
  const long = 'a'.repeat(3000);
  const text = expand(`\${L#${'*a'.repeat(200)}b}`, { get: () => long }, { escape: '\\' }).text;
  assert.equal(text, long);
});
