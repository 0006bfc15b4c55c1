import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf } from '../base/index.ts';
import { foldedLines, parseStanza, parseStanzas, splitParagraphs } from './deb822.ts';

test('fields, folded lines, comments, case', () => {
  const stanza = parseStanza(
    'Package: a\n# no\nDepends: b,\n c (>= 1)\nDESCRIPTION: short\n long\n .\n  indented\nnonsense\n',
  );
  assert.equal(stanza.get('package'), 'a');
  assert.equal(stanza.get('depends'), 'b,\nc (>= 1)');
  assert.equal(stanza.get('description'), 'short\nlong\n.\n indented');
  assert.equal(stanza.size, 3);
});

test('paragraphs are parted by blank lines, with any line ends', () => {
  const names = (text: string): unknown[] => parseStanzas(text).map((stanza) => stanza.get('a'));
  assert.deepEqual(names('A: 1\n\n\nA: 2\n \nA: 3'), ['1', '2', '3']);
  assert.deepEqual(names('A: 1\r\n\r\nA: 2\r\n'), ['1', '2']);
  assert.deepEqual(names('\n\n'), []);
});

test('folded lines of a field', () => {
  assert.deepEqual(foldedLines('\n one\n\n  two '), ['one', 'two']);
  assert.deepEqual(foldedLines(undefined), []);
});

test('a stream is split the same wherever its chunks end', async () => {
  const paragraph = fc.array(fc.constantFrom('A: 1', 'B: 22', ' more', 'C:'), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(paragraph, { maxLength: 6 }),
      fc.array(fc.nat(40), { maxLength: 8 }),
      async (all, cuts) => {
        const text = Buffer.from(all.map((lines) => `${lines.join('\n')}\n`).join('\n'));
        const at = [...new Set([0, ...cuts.filter((cut) => cut < text.length), text.length])].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, i) => text.subarray(at[i], end));
        const found: string[] = [];
        for await (const group of splitParagraphs(bytesOf(...chunks)))
          found.push(...group.map((part) => part.toString()));
        assert.deepEqual(
          found,
          all.map((lines) => lines.join('\n')),
        );
      },
    ),
  );
});
