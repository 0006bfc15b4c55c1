import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { fileNameOf } from './file-name.ts';

suite('names of downloads', () => {
  test('as asked for, as the server says, as the address ends', () => {
    const url = 'https://h.example/a/b%20c.tar?x=/y#/z';
    assert.equal(fileNameOf(url), 'b c.tar');
    for (const [disposition, name] of [
      ['attachment; filename="x.tar"', 'x.tar'],
      ['attachment; filename=x.tar; size=1', 'x.tar'],
      ['attachment; filename="a\\"b"', 'a"b'],
      ['attachment; filename="../../etc/passwd"', 'passwd'],
      ['attachment; filename="folder/"', 'b c.tar'],
      ['attachment; filename=""', 'b c.tar'],
      ['attachment', 'b c.tar'],
      ["attachment; filename=plain; filename*=UTF-8''%E2%82%AC.txt", '€.txt'],
      ["attachment; filename=plain; filename*=UTF-8''%zz", 'plain'],
    ] as const)
      assert.equal(fileNameOf(url, { disposition }), name, disposition);
    assert.equal(fileNameOf(url, { given: 'own', disposition: 'attachment; filename=x' }), 'own');
    for (const bare of [
      'https://h.example',
      'https://h.example/',
      'https://h.example/..',
      'https://h.example/%00',
      'no address',
    ])
      assert.equal(fileNameOf(bare), 'download', bare);
  });

  test('always one name that is no way out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (path, header) => {
        for (const name of [
          fileNameOf(`http://h/${path}`),
          fileNameOf('http://h/', { disposition: `a; filename="${header}"` }),
          fileNameOf('x', { given: path }),
        ]) {
          assert.ok(name !== '' && name !== '.' && name !== '..');
          assert.ok(!/[/\0\n]/.test(name), JSON.stringify(name));
        }
      }),
    );
  });
});
