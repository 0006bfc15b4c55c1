import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CodedError } from '../../base/index.ts';
import { expand } from './expand.ts';
import { amd64, FakeHost, planText } from './fake-host.suite.ts';
import { trimPrefix, trimSuffix } from './glob.ts';
import { programOf } from './instructions.ts';
import { parseDockerfile } from './parser.ts';
import { dockerfileFrontend } from './plan.ts';
import { SourceText } from './text.ts';

const testdata = new URL('testdata/', import.meta.url);
const real = readdirSync(testdata)
  .filter((name) => name.endsWith('.dockerfile'))
  .map((name) => readFileSync(new URL(name, testdata), 'utf8'));

/** Pieces that matter to the parser, to be strung together. */
const piece = fc.oneof(
  fc.constantFrom(
    ...'FROM a|from a AS b|RUN |COPY |ADD |ENV |ARG |ONBUILD |HEALTHCHECK CMD |LABEL |EXPOSE |--from=|--mount=type=|cache,target=/a|secret,id=a,env=B|ssh|from=a,|--link|--parents |--exclude=*|--chmod=u+x |--checksum=|https://h/x|https://h/x.git#v:d|a/./b|--|# check=error=true;skip=all|<<EOF|<<-"E"|EOF|# escape=`|# syntax=x|\\|`|"|\'|[|]|["a"]|${a:-|}|$|${x#*|=| |\t|\n|\r\n|\u00a0|\ufeff|#'.split(
      '|',
    ),
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const dockerfile = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);

/** A real Dockerfile with a few places cut, doubled or overwritten. */
const mutated = fc
  .tuple(
    fc.constantFrom('', ...real),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 20 }), piece), { minLength: 1, maxLength: 6 }),
  )
  .map(([text, edits]) =>
    edits.reduce((current, [at, length, insert]) => {
      const start = at % (current.length + 1);
      return current.slice(0, start) + insert + current.slice(start + length);
    }, text),
  );

function parses(text: string): void {
  const source = new SourceText('Dockerfile', text);
  try {
    const file = parseDockerfile(source);
    for (const node of file.instructions) {
      const place = source.place(node.range);
      assert.ok(
        place.line >= 1 && (place.endLine ?? 0) >= place.line && (place.endLine ?? 0) <= source.lines.length,
        'its place is in the file',
      );
      assert.ok(
        node.args.every(
          ({ range }) => range.start.line >= node.range.start.line && range.end.line <= node.range.end.line,
        ),
      );
    }
    programOf(file, source);
  } catch (error) {
    assert.ok(error instanceof CodedError, `only its own errors: ${String(error)}`);
    assert.ok(error.code.startsWith('DOCKERFILE_') && error.kind === 'invalid', error.code);
    assert.ok(error.remedy !== undefined, `a remedy: ${error.message}`);
  }
}

test('the parser throws nothing but its own errors, on any text', () => {
  fc.assert(fc.property(dockerfile, parses), { numRuns: 600 });
});

test('the parser throws nothing but its own errors, on mutated real files', () => {
  assert.ok(real.length > 0);
  fc.assert(fc.property(mutated, parses), { numRuns: 600 });
});

test('planning throws nothing but coded errors, on mutated real files', async () => {
  await fc.assert(
    fc.asyncProperty(mutated, async (text) => {
      try {
        await planText(text);
      } catch (error) {
        assert.ok(error instanceof CodedError, error instanceof Error ? (error.stack ?? '') : String(error));
        assert.notEqual(error.kind, 'internal');
      }
    }),
    { numRuns: 200 },
  );
});

test('a check answers on any text, and an outline throws nothing but coded errors', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, dockerfile), async (text) => {
      const options = { requestid: 'frontend.lint' };
      const host = new FakeHost({ files: { dockerfile: { Dockerfile: text }, context: {} } });
      const ask = (requestid: string): ReturnType<typeof dockerfileFrontend> =>
        dockerfileFrontend({ options: { ...options, requestid }, platforms: [amd64], buildPlatform: amd64 }, host);
      for (const requestid of ['frontend.lint', 'frontend.outline', 'frontend.targets'])
        try {
          const { metadata } = await ask(requestid);
          JSON.parse(Buffer.from(metadata.get('result.json') ?? '').toString());
        } catch (error) {
          assert.ok(error instanceof CodedError && error.kind !== 'internal', String(error));
          // What cannot be read at all, and who is to read it, comes before any check.
          if (requestid === 'frontend.lint')
            assert.ok(['DOCKERFILE_EMPTY', 'FAKE_FRONTEND'].includes(error.code), error.message);
        }
    }),
    { numRuns: 200 },
  );
});

test('expansion throws nothing but its own errors, and needs no variable twice', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      try {
        const found = expand(pieces.join(''), { get: (name) => (name === 'a' ? 'b c' : undefined) }, { escape: '\\' });
        assert.ok(!found.unmatched.has('a'));
      } catch (error) {
        assert.ok(error instanceof CodedError && error.code === 'DOCKERFILE_EXPANSION', String(error));
      }
    }),
    { numRuns: 600 },
  );
});

/** The same answers from a regular expression, which is slow but plain. */
function reference(pattern: string, text: string, o: { end: boolean; longest: boolean }): string {
  const source = pattern.replaceAll('*', '[^\\n]*').replaceAll('?', '[^\\n]');
  const lengths = Array.from({ length: text.length + 1 }, (_, index) => index);
  if (o.longest) lengths.reverse();
  const whole = new RegExp(`^(?:${source})$`);
  for (const length of lengths) {
    const cut = o.end ? text.length - length : length;
    const candidate = o.end ? text.slice(cut) : text.slice(0, cut);
    if (whole.test(candidate)) return o.end ? text.slice(0, cut) : text.slice(cut);
  }
  return text;
}

test('patterns cut what a regular expression says', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 8 });
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 5 });
  fc.assert(
    fc.property(letters, patterns, fc.boolean(), (text, pattern, longest) => {
      assert.equal(trimPrefix(pattern, text, longest), reference(pattern, text, { end: false, longest }));
      assert.equal(trimSuffix(pattern, text, longest), reference(pattern, text, { end: true, longest }));
    }),
    { numRuns: 600 },
  );
});
