import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../base/index.ts';
import type { DockerfileNode, InstructionNode } from './ast.ts';
import { parseDockerfile } from './parser.ts';
import { SourceText } from './text.ts';

const parse = (text: string): DockerfileNode => parseDockerfile(new SourceText('Dockerfile', text));
const first = (text: string): InstructionNode => parse(text).instructions[0]!;
const args = (text: string): readonly string[] => first(text).args.map((arg) => arg.text);

/** Asserts that `text` is refused with this code, line and words. */
function refused(text: string, code: string, o: { line?: number; words: RegExp }): void {
  assert.throws(
    () => parse(text),
    (error) => {
      assert.ok(error instanceof CodedError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, o.words);
      assert.equal(error.place?.line, o.line);
      assert.ok(error.remedy, 'has a remedy');
      return true;
    },
  );
}

test('a byte-order mark and carriage returns do no harm', () => {
  const { instructions } = parse('\ufeffFROM scratch\r\nRUN a \\\r\n  b\r\n');
  assert.deepEqual(
    instructions.map((node) => node.original),
    ['FROM scratch', 'RUN a   b'],
  );
});

test('leading white space goes from the first line only', () => {
  assert.equal(first('  \tRUN a \\\n    b \\\n\tc').original, 'RUN a     b \tc');
});

test('a continuation may be followed by blanks, and be a line of its own', () => {
  assert.equal(first('RUN a \\ \t\n b').original, 'RUN a  b');
  assert.equal(first('RUN a \\\n\\\n b').original, 'RUN a  b');
  assert.equal(first('\\\nRUN a').original, 'RUN a');
});

test('a doubled escape is no continuation', () => {
  assert.deepEqual(
    parse('RUN a \\\\\nRUN b').instructions.map((node) => node.original),
    ['RUN a \\\\', 'RUN b'],
  );
});

test('a dangling continuation at the end is accepted', () => {
  assert.equal(first('RUN a \\').original, 'RUN a ');
  assert.equal(first('RUN a \\\n').original, 'RUN a ');
});

test('comments vanish, also inside a continued instruction, and never continue', () => {
  const { instructions } = parse('# c \\\nRUN a \\\n  # c \\\n# d\n  b # no comment\n');
  assert.equal(instructions.length, 1);
  assert.equal(instructions[0]?.original, 'RUN a   b # no comment');
});

test('empty lines inside a continuation are skipped and remembered', () => {
  const file = parse('FROM a\nRUN a \\\n\n \t\n b\nRUN c');
  assert.equal(file.instructions[1]?.original, 'RUN a  b');
  assert.deepEqual(
    file.emptyContinuations.map((range) => range.start.line),
    [5],
  );
});

test('comments right above stay with the instruction', () => {
  const { instructions } = parse('# one\n# two\nFROM a\n# gone\n#\n# kept\nRUN b');
  assert.deepEqual(instructions[0]?.comments, ['one', 'two']);
  assert.deepEqual(instructions[1]?.comments, ['kept']);
});

test('directives stand at the very top, in any case and spacing', () => {
  const file = parse('# Syntax = docker/dockerfile:1 \n#escape=`\n# check=skip=all\nFROM a\nRUN a `\n b \\\nRUN c');
  assert.deepEqual(
    file.directives.map(({ name, value }) => [name, value]),
    [
      ['syntax', 'docker/dockerfile:1'],
      ['escape', '`'],
      ['check', 'skip=all'],
    ],
  );
  assert.equal(file.escape, '`');
  assert.deepEqual(
    file.instructions.map((node) => node.original),
    ['FROM a', 'RUN a  b \\', 'RUN c'],
  );
  assert.deepEqual(file.instructions[0]?.comments, []);
});

test('a comment, a blank line, an unknown key or an instruction ends the directives', () => {
  for (const before of ['# hello', '', '# unknown=1', 'ARG x'])
    assert.equal(parse(`${before}\n# escape=\`\nFROM a`).escape, '\\', before);
});

test('a directive twice or a wrong escape is refused', () => {
  refused('# escape=\\\n# ESCAPE=`\nFROM a', 'DOCKERFILE_DIRECTIVE', {
    line: 2,
    words: /only one escape parser directive/,
  });
  refused('# escape=x\nFROM a', 'DOCKERFILE_DIRECTIVE', { line: 1, words: /invalid escape token 'x'/ });
});

test('lines may have 65535 bytes and no more', () => {
  assert.equal(args(`RUN ${'a'.repeat(65_531)}\n`)[0]?.length, 65_531);
  refused(`FROM a\nRUN ${'a'.repeat(65_532)}`, 'DOCKERFILE_LINE_TOO_LONG', {
    line: 2,
    words: /max allowed size of 65535/,
  });
  refused(`RUN ${'é'.repeat(32_766)}`, 'DOCKERFILE_LINE_TOO_LONG', { line: 1, words: /65535/ });
});

test('a file without instructions is refused', () => {
  for (const text of ['', '\n\n', '# only\n# comments'])
    refused(text, 'DOCKERFILE_EMPTY', { words: /file with no instructions/ });
});

test('flags are the words with -- before the arguments', () => {
  const node = first('COPY --from=a --chown="x y" --chmod=7\\"5 -- --not a b');
  assert.deepEqual(
    node.flags.map((flag) => flag.text),
    ['--from=a', '--chown=x y', '--chmod=7"5'],
  );
  assert.deepEqual(
    node.args.map((arg) => arg.text),
    ['--not', 'a', 'b'],
  );
  assert.deepEqual(args('RUN ls --all'), ['ls --all']);
  assert.deepEqual(args('RUN -x'), ['-x']);
  assert.deepEqual(
    first("RUN --a='b c'd\\").flags.map((flag) => flag.text),
    ['--a=b cd\\'.slice(0, -1)],
  );
});

test('exec form is JSON; what merely looks like it is shell form', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['RUN ["a", "b c"]', 'json', ['a', 'b c']],
    ['RUN [ ]', 'json', []],
    ['RUN ["a\\u0020\\"b"]', 'json', ['a "b']],
    ["RUN ['a', 'b']", 'text', ["['a', 'b']"]],
    ['RUN ["a"', 'text', ['["a"']],
    ['RUN ["a"] x', 'text', ['["a"] x']],
    ['RUN [ -f x ]', 'text', ['[ -f x ]']],
    ['COPY ["a b", "c"]', 'json', ['a b', 'c']],
    ["COPY ['a', 'b']", 'words', ["['a',", "'b']"]],
    ['VOLUME ["/a"]', 'json', ['/a']],
    ['HEALTHCHECK CMD ["a"]', 'json', ['CMD', 'a']],
    ['HEALTHCHECK  CMD  a b', 'text', ['CMD', 'a b']],
    ['EXPOSE ["80"]', 'words', ['["80"]']],
  ];
  for (const [text, form, wanted] of cases) {
    assert.equal(first(text).form, form, text);
    assert.deepEqual(args(text), wanted, text);
  }
});

test('a JSON array with anything but strings is refused', () => {
  for (const text of ['RUN ["a", 1]', 'CMD [["a"]]', 'COPY ["a", null]', 'VOLUME [{}]', 'HEALTHCHECK CMD [true]'])
    refused(`FROM a\n${text}`, 'DOCKERFILE_SYNTAX', { line: 2, words: /arrays must be comprised of strings only/ });
});

test('pairs are name=value words, or the old form with a space', () => {
  const pairs = (text: string): unknown => first(text).pairs.map(({ key, value, legacy }) => [key, value, legacy]);
  assert.deepEqual(pairs('ENV a=1 b="x y" c=x\\ y d=$a e='), [
    ['a', '1', false],
    ['b', '"x y"', false],
    ['c', 'x\\ y', false],
    ['d', '$a', false],
    ['e', '', false],
  ]);
  assert.deepEqual(pairs('ENV  a \t 1 b=2'), [['a', '1 b=2', true]]);
  assert.deepEqual(pairs('LABEL "a b"=c'), [['"a b"', 'c', false]]);
  assert.deepEqual(pairs('ENV'), []);
  refused('FROM a\nENV a', 'DOCKERFILE_SYNTAX', { line: 2, words: /ENV must have two arguments/ });
  refused('FROM a\nLABEL a=b c', 'DOCKERFILE_SYNTAX', { line: 2, words: /can't find = in "c"/ });
});

test('ARG takes several names, quotes kept for later', () => {
  assert.deepEqual(args('ARG a b=1 c="x y"'), ['a', 'b=1', 'c="x y"']);
});

test('keywords are known in any case', () => {
  assert.deepEqual(
    parse('from a\nRun x\nEntryPoint ["y"]').instructions.map(({ name, keyword }) => [name, keyword.text]),
    [
      ['from', 'from'],
      ['run', 'Run'],
      ['entrypoint', 'EntryPoint'],
    ],
  );
});

test('a heredoc is read up to its name', () => {
  const node = first('RUN <<EOF\n a\n\\\n# b\n\nEOF\nRUN c');
  assert.equal(node.heredocs[0]?.content, ' a\n\\\n# b\n\n');
  assert.deepEqual([node.range.start.line, node.range.end.line], [1, 6]);
  assert.deepEqual([node.heredocs[0]?.range.start.line, node.heredocs[0]?.range.end.line], [2, 6]);
});

test('heredocs have a descriptor, may be quoted, chomped, several on a line', () => {
  const node = first('RUN <<-A cat 3<<"B C" && x <<\'D\'\n\ta\n\tA\nb\nB C\nd\nD\n');
  assert.deepEqual(
    node.heredocs.map(({ name, descriptor, expand, chomp, content }) => [name, descriptor, expand, chomp, content]),
    [
      ['A', 0, true, true, '\ta\n'],
      ['B C', 3, false, false, 'b\n'],
      ['D', 0, false, false, 'd\n'],
    ],
  );
});

test('heredocs: COPY, ADD and triggers have them; others, JSON form and quoted words do not', () => {
  assert.equal(first('COPY <<a <<b /x/\n1\na\n2\nb').heredocs.length, 2);
  assert.equal(first('ADD << a /x/\n1\na').heredocs.length, 1);
  assert.equal(first('ONBUILD RUN <<a\n1\na').heredocs.length, 1);
  assert.equal(first('RUN ["<<a"]').heredocs.length, 0);
  assert.equal(first('RUN echo "<<a"').heredocs.length, 0);
  assert.equal(first("RUN echo it's <<a").heredocs.length, 0);
  assert.equal(first('RUN echo $((1<<2))\n').heredocs.length, 0);
  assert.equal(first('CMD <<a').heredocs.length, 0);
  assert.equal(first('RUN cat <<<a').heredocs.length, 0);
});

test('a heredoc keeps its line endings', () => {
  assert.equal(first('COPY <<a /x\r\n1\r\na\r\n').heredocs[0]?.content, '1\r\n');
});

test('an endless heredoc is refused', () => {
  refused('FROM a\nRUN <<EOF\na\n EOF', 'DOCKERFILE_HEREDOC', { line: 2, words: /unterminated heredoc "EOF"/ });
  refused('COPY <<a <<b /x/\n1\na\n2', 'DOCKERFILE_HEREDOC', { line: 1, words: /"b"/ });
});

test('every node knows where it was written', () => {
  const source = new SourceText('Dockerfile', '# c\n  COPY --from=x \\\n  # c\n  one \\\n\ttwo\nENV a=1 \\\n b=2');
  const [copy, env] = parseDockerfile(source).instructions;
  const at = (range: { start: { line: number; column: number }; end: { line: number; column: number } }): string =>
    `${range.start.line}:${range.start.column}-${range.end.line}:${range.end.column}`;
  assert.equal(at(copy!.range), '2:3-5:5');
  assert.equal(at(copy!.keyword.range), '2:3-2:7');
  assert.equal(at(copy!.flags[0]!.range), '2:8-2:16');
  assert.deepEqual(
    copy!.args.map((arg) => at(arg.range)),
    ['4:3-4:6', '5:2-5:5'],
  );
  assert.deepEqual(
    env!.pairs.map((pair) => at(pair.range)),
    ['6:5-6:8', '7:2-7:5'],
  );
  assert.deepEqual(source.place(copy!.range), {
    file: 'Dockerfile',
    line: 2,
    column: 3,
    endLine: 5,
    text: '  COPY --from=x \\\n  # c\n  one \\\n\ttwo',
  });
});
