import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../base/index.ts';
import { evaluate, parseHcl, parseHclJson, standardFunctions, toJson, type Scope, type Value } from './index.ts';

const VARIABLES = new Map<string, Value>(
  Object.entries({
    name: 'app',
    list: ['a', 'b', 'c'],
    many: [new Map<string, Value>([['id', 1]]), new Map<string, Value>([['id', 2]])],
    map: new Map<string, Value>([
      ['x', 'X'],
      ['y', 'Y'],
    ]),
    none: null,
    'with-dash': 'dashed',
  }),
);

const scope: Scope = {
  variable: (name) => VARIABLES.get(name),
  function: (name) => standardFunctions.get(name),
  names: (kind) => (kind === 'variable' ? VARIABLES.keys() : standardFunctions.keys()),
  world: { clock: { now: () => 1_700_000_000_000 }, random: { hex: (bytes) => 'ab'.repeat(bytes) }, home: '/home/u' },
};

function valueOf(text: string): unknown {
  const { attributes } = parseHcl(`v = ${text}\n`, 'test.hcl');
  const [first] = attributes;
  assert.ok(first);
  return toJson(evaluate(first.expression, scope));
}

function failureOf(text: string): CodedError {
  try {
    valueOf(text);
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
    return error;
  }
  return assert.fail(`${text} has a value`);
}

/** Expected values are those of HashiCorp's HCL 2 and go-cty (spec.md, stdlib tests), as JSON. */
const CASES: readonly (readonly [string, unknown])[] = [
  ['1 + 2 * 3', 7],
  ['(1 + 2) * 3', 9],
  ['10 % 4 - -1', 3],
  ['0.1 + 0.2', 0.3],
  ['!true || 1 < 2 && 2 >= 2', true],
  ['1 == "1"', false],
  ['"a" != "b"', true],
  ['true ? "a" : "b"', 'a'],
  ['true ? 1 : "b"', '1'],
  ['false ? ["a"] : []', []],
  ['none == null', true],
  ['"x-${name}-${1 + 1}"', 'x-app-2'],
  ['"${list}"', ['a', 'b', 'c']],
  ['"$${name} %%{if} \\"q\\" \\u00e9\\n"', '${name} %{if} "q" é\n'],
  ['"%{ if name == "app" }yes%{ else }no%{ endif }"', 'yes'],
  ['"%{ for x in list }[${x}]%{ endfor }"', '[a][b][c]'],
  ['"%{ for i, x in list ~}  ${i}=${x};  %{~ endfor }"', '0=a;1=b;2=c;'],
  ['"a  ${~ name ~}  b"', 'aappb'],
  ['list[1]', 'b'],
  ['list.1', 'b'],
  ['map["x"]', 'X'],
  ['map.y', 'Y'],
  ['many[*].id', [1, 2]],
  ['many.*.id', [1, 2]],
  ['name[*]', ['app']],
  ['none[*]', []],
  ['[for x in list : upper(x)]', ['A', 'B', 'C']],
  ['[for i, x in list : "${i}${x}" if x != "b"]', ['0a', '2c']],
  ['{for k, v in map : v => k}', { X: 'x', Y: 'y' }],
  ['{for x in ["a", "b", "a"] : x => 1...}', { a: [1, 1], b: [1] }],
  ['{ a = 1, "b-c": 2\n (name) = 3, true = 4 }', { a: 1, app: 3, 'b-c': 2, true: 4 }],
  ['{ for = 1 }', { for: 1 }],
  ['[\n1,\n2, # two\n]', [1, 2]],
  ['[\n  { a = 1 },\n\n  {\n    b = [\n      {}\n    ]\n  }\n]', [{ a: 1 }, { b: [{}] }]],
  ['max(\n  1,\n  2\n)', 2],
  ['with-dash', 'dashed'],
  ['max(list...)', 'error'],
  ['max([1, 5, 3]...)', 5],
  ['<<EOT\nline ${name}\n  in\nEOT', 'line app\n  in\n'],
  ['<<-EOT\n    a\n      b ${name}\n    EOT', 'a\n  b app\n'],
  ['try(map.zz, "else")', 'else'],
  ['can(map.zz)', false],
  ['convert("5", number) + 1', 6],
  ['convert(["a", "a"], set(string))', ['a']],
  ['absolute(-5)', 5],
  ['add(1, 2)', 3],
  ['and(true, false)', false],
  ['base64encode("hello")', 'aGVsbG8='],
  ['base64decode("aGVsbG8=")', 'hello'],
  ['basename("/foo/bar")', 'bar'],
  ['dirname("/foo/bar")', '/foo'],
  ['dirname("bar")', '.'],
  ['ceil(1.2)', 2],
  ['chomp("x\\n\\n")', 'x'],
  ['chunklist(["a", "b", "c"], 2)', [['a', 'b'], ['c']]],
  ['cidrhost("10.12.127.0/20", 268)', '10.12.113.12'],
  ['cidrhost("fd00:fd12:3456:7890::/72", 34)', 'fd00:fd12:3456:7890::22'],
  ['cidrnetmask("172.16.0.0/12")', '255.240.0.0'],
  ['cidrsubnet("172.16.0.0/12", 4, 2)', '172.18.0.0/16'],
  ['cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)', ['10.1.0.0/20', '10.1.16.0/20', '10.1.32.0/24', '10.1.48.0/20']],
  ['coalesce(null, "a", "b")', 'a'],
  ['coalescelist([], ["x"])', ['x']],
  ['compact(["a", "", "b"])', ['a', 'b']],
  ['concat(["a"], ["b", 1])', ['a', 'b', 1]],
  ['contains(list, "b")', true],
  [
    'csvdecode("a,b\\n1,2\\n\\"x,y\\",z\\n")',
    [
      { a: '1', b: '2' },
      { a: 'x,y', b: 'z' },
    ],
  ],
  ['distinct(["a", "b", "a"])', ['a', 'b']],
  ['divide(10, 4)', 2.5],
  ['element(list, 4)', 'b'],
  ['equal("a", "a")', true],
  ['flatten([["a", ["b"]], [], ["c"]])', ['a', 'b', 'c']],
  ['floor(1.9)', 1],
  ['format("%s-%03d-%t-%v", "a", 7, true, list)', 'a-007-true-["a","b","c"]'],
  ['format("%q %5.1f|%-4s|%x %%", "q", 2.25, "l", 255)', '"q"   2.3|l   |ff %'],
  ['formatlist("%s!", list)', ['a!', 'b!', 'c!']],
  ['formatdate("YYYY-MM-DD\'T\'hh:mm:ssZ", "2020-01-02T03:04:05Z")', '2020-01-02T03:04:05Z'],
  ['formatdate("EEE D MMM YY H:mm aa", "2020-01-02T15:04:05+01:00")', 'Thu 2 Jan 20 3:04 pm'],
  ['formattimestamp("X", "2020-01-02T03:04:05Z")', '1577934245'],
  ['formattimestamp("YYYY", 1577934245)', '2020'],
  ['greaterthan(2, 1)', true],
  ['hasindex(list, 3)', false],
  ['homedir()', '/home/u'],
  ['indent(2, "a\\nb")', 'a\n  b'],
  ['index(map, "x")', 'X'],
  ['indexof(list, "c")', 2],
  ['int(-1.7)', -1],
  ['join("-", list, ["d"])', 'a-b-c-d'],
  ['jsondecode("{\\"a\\":[1,null]}")', { a: [1, null] }],
  ['jsonencode({ b = 1, a = [true] })', '{"a":[true],"b":1}'],
  ['keys(map)', ['x', 'y']],
  ['length(list) + length(map)', 5],
  ['log(16, 2)', 4],
  ['lookup(map, "z", "d")', 'd'],
  ['lower("ABC")', 'abc'],
  ['md5("foo")', 'acbd18db4cc2f85cedef654fccc4a4d8'],
  ['merge(map, { x = "1" })', { x: '1', y: 'Y' }],
  ['min(3, 1, 2)', 1],
  ['modulo(10, 3)', 1],
  ['negate(5)', -5],
  ['not(true)', false],
  ['parseint("ff", 16)', 255],
  ['pow(2, 10)', 1024],
  ['range(3)', [0, 1, 2]],
  ['range(4, 0, -2)', [4, 2]],
  ['regex("[a-z]+", "12ab3")', 'ab'],
  ['regex("(?P<major>\\\\d+)\\\\.(?P<minor>\\\\d+)", "v1.22")', { major: '1', minor: '22' }],
  ['regexall("[0-9]+", "1 22 333")', ['1', '22', '333']],
  ['regex_replace("hello world", "(h)(e)", "$2$1")', 'ehllo world'],
  ['replace("a.b.c", ".", "-")', 'a-b-c'],
  ['reverse("abc")', 'cba'],
  ['reverselist(list)', ['c', 'b', 'a']],
  ['sanitize("linux/arm64:1.2")', 'linux_arm64_1_2'],
  ['semvercmp("1.2.3", ">=1.2, <2")', true],
  ['semvercmp("v2.0.0-rc1", ">=1.2")', false],
  ['semvercmp("1.4.9", "1.2 - 1.4")', true],
  ['semvercmp("0.3.1", "^0.2 || ~0.3.0")', true],
  ['setunion(["a"], ["b", "a"])', ['a', 'b']],
  ['setintersection(["a", "b"], ["b"])', ['b']],
  ['setsubtract(["a", "b"], ["b"])', ['a']],
  ['setsymmetricdifference(["a", "b"], ["b", "c"])', ['a', 'c']],
  [
    'setproduct(["a", "b"], [1, 2])',
    [
      ['a', 1],
      ['a', 2],
      ['b', 1],
      ['b', 2],
    ],
  ],
  ['sethaselement(["a"], "a")', true],
  ['sha1("foo")', '0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33'],
  ['signum(-3)', -1],
  ['slice(list, 1, 2)', ['b']],
  ['sort(["b", "a"])', ['a', 'b']],
  ['split(",", "a,b")', ['a', 'b']],
  ['strlen("👩‍👩‍👧x")', 2],
  ['substr("hello", -3, 2)', 'll'],
  ['timeadd("2020-01-02T03:04:05Z", "1h30m")', '2020-01-02T04:34:05Z'],
  ['timestamp()', '2023-11-14T22:13:20Z'],
  ['title("hello wide world")', 'Hello Wide World'],
  ['trim("?!x!?", "!?")', 'x'],
  ['trimprefix("v1", "v")', '1'],
  ['trimsuffix("a.tar", ".tar")', 'a'],
  ['trimspace("  x\\n")', 'x'],
  ['unixtimestampparse(1690328596).iso_week', 30],
  ['upper("é")', 'É'],
  ['urlencode("a b&c/é")', 'a+b%26c%2F%C3%A9'],
  ['uuidv4()', 'abababab-abab-4bab-abab-abababababab'],
  ['uuidv5("dns", "tada")', 'faa898db-9b9d-5b75-86a9-149e7bb8e3b8'],
  ['values(map)', ['X', 'Y']],
  ['zipmap(["a", "b"], [1, 2])', { a: 1, b: 2 }],
];

for (const [text, expected] of CASES)
  test(`evaluates ${text}`, () => {
    if (expected === 'error') assert.equal(failureOf(text).code, 'HCL_EVALUATION');
    else assert.deepEqual(valueOf(text), expected);
  });

/** What is wrong, where (column of `v = …`), and what helps. */
const FAILURES: readonly (readonly [string, RegExp, number, RegExp?])[] = [
  ['nam', /there is no variable "nam"/, 5, /Did you mean "name"/],
  ['1 + lowr("A")', /there is no function "lowr"/, 9, /Did you mean "lower"/],
  ['lower()', /it takes 1 argument, not 0/, 5],
  ['map.z', /there is no attribute "z"/, 5],
  ['list[7]', /there is no element 7: the list has 3/, 5],
  ['"${list}-x"', /a tuple cannot be part of a text/, 8],
  ['1 / 0', /division by zero/, 5],
  ['true ? {} : "a"', /no type in common/, 5],
  ['upper(none)', /the argument is null/, 11],
  ['"abc', /the string is not ended/, 5],
  ["'abc'", /invalid character "'"/, 5, /double quotes/],
  ['[1, 2', /expected "," or "\]" after the element, but here the file ends/, 1],
  ['<<EOT\nx\n', /the heredoc is not ended by "EOT"/, 5],
  ['"%{ if true }x"', /not ended by "%{ endif }"/, 6],
  ['"\\q"', /no escape sequence/, 6],
  ['{ a.b = 1 }', /not clear what this key means/, 7],
  ['{for x in list : "k" => x}', /two elements have the key "k"/, 22],
  ['1 2', /expected a new line after the value of "v"/, 7],
];

for (const [text, message, column, remedy] of FAILURES)
  test(`says what is wrong with ${text}`, () => {
    const error = failureOf(text);
    assert.match(error.message, message);
    assert.equal(error.place?.file, 'test.hcl');
    if (column > 1) assert.equal(error.place.column, column);
    if (remedy) assert.match(error.remedy ?? '', remedy);
  });

test('a JSON file says the same as a native one, strings being templates', () => {
  const schema = { target: { labels: 1 } } as const;
  const text = '{"target":{"app":{"tags":["x:${name}"],"//":"left out"}},"v":{"${name}":1}}';
  const { attributes, blocks } = parseHclJson(text, 'test.json', schema);
  assert.equal(blocks[0]?.labels[0]?.text, 'app');
  const [tags] = blocks[0]?.body.attributes ?? [];
  assert.ok(tags && attributes[0]);
  assert.deepEqual(toJson(evaluate(tags.expression, scope)), ['x:app']);
  assert.deepEqual(toJson(evaluate(attributes[0].expression, scope)), { app: 1 });
  assert.throws(() => parseHclJson('{"a": }', 'x.json', {}), /expected a value, but here there is "}"/);
});

test('whatever a file holds, only errors of the language come of it', () => {
  const words =
    '" ${ } { [ ] ( ) \n = == a b.c for in : => ? ! - 1 2.5 , ... %{ if endif ~ \\ <<X X .* [*] null # // /* */ upper( try( $'.split(
      ' ',
    );
  const texts = fc.oneof(
    fc.array(fc.constantFrom(...words, ' '), { maxLength: 40 }).map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((parts) => `v = ${parts.join(' ')}\n`),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [() => parseHcl(text, 'f').attributes, () => parseHclJson(text, 'f', {}).attributes])
        try {
          for (const { expression } of parse()) evaluate(expression, scope);
        } catch (error) {
          assert.ok(error instanceof CodedError, String(error));
          assert.ok(error.place, error.message);
        }
    }),
    { numRuns: 3000 },
  );
});

test('what is nested without end is refused', () => {
  for (const text of [
    '['.repeat(5000),
    '('.repeat(5000),
    '!'.repeat(5000),
    '"${'.repeat(5000),
    `1${' + 1'.repeat(5000)}`,
    `a${'.b'.repeat(5000)}`,
    `a${'[*]'.repeat(5000)}`,
    'true ? 1 : '.repeat(5000),
  ])
    assert.match(failureOf(text).message, /levels deep|in a row/);
  assert.throws(() => parseHclJson('['.repeat(5000), 'f', {}), /levels deep/);
  assert.equal(failureOf(`${'('.repeat(60)}1${' + 1'.repeat(400)}${')'.repeat(60)} + none`).code, 'HCL_EVALUATION');
});
