import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Git } from './git-program.ts';
import { remoteOf } from './remote.ts';
import { checked, pickRef, resolveRef } from './resolve-ref.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string];
const lines = (...refs: readonly (readonly [string, string])[]): string =>
  refs.map(([object, name]) => `${object}\t${name}\n`).join('');

suite('what a reference is', () => {
  test('a full name, a branch before a tag, a tag with what it leads to', () => {
    const said = lines([A, 'refs/heads/v1'], [B, 'refs/tags/v1'], [C, 'refs/tags/v1^{}']);
    assert.deepEqual(pickRef(said, 'v1'), { object: A, peeled: undefined, ref: 'refs/heads/v1' });
    assert.deepEqual(pickRef(said, 'refs/tags/v1'), { object: B, peeled: C, ref: 'refs/tags/v1' });
    assert.deepEqual(pickRef(said, 'tags/v1'), { object: B, peeled: C, ref: 'refs/tags/v1' });
    assert.deepEqual(pickRef(lines([B, 'refs/tags/v1'], [C, 'refs/tags/v1^{}']), 'v1'), {
      object: B,
      peeled: C,
      ref: 'refs/tags/v1',
    });
    assert.equal(pickRef(said, '1'), undefined);
    // A name that only ends so is another one.
    assert.equal(pickRef(lines([A, 'refs/heads/x/v1']), 'v1'), undefined);
  });

  test('HEAD, with and without a branch', () => {
    assert.deepEqual(pickRef(`ref: refs/heads/main\tHEAD\n${A}\tHEAD\n`, 'HEAD'), {
      object: A,
      ref: 'refs/heads/main',
    });
    assert.deepEqual(pickRef(`${A}\tHEAD\n`, 'HEAD'), { object: A, ref: undefined });
    assert.equal(pickRef('', 'HEAD'), undefined);
  });

  test('a commit asks nobody; what is no commit does', async () => {
    const asked: string[] = [];
    const git = async (): Promise<Git> =>
      ({
        run: async (args: readonly string[]) => (asked.push(args.join(' ')), lines([A, 'refs/heads/x'])),
      }) as unknown as Git;
    const remote = remoteOf('https://h.example/a.git');
    const at = (o: object): ReturnType<typeof resolveRef> =>
      resolveRef({ type: 'git', url: remote.url, ...o }, remote, { git });
    assert.deepEqual(await at({ ref: A }), { object: A, ref: undefined, assumed: true });
    assert.deepEqual(await at({ ref: 'x', commit: B }), { object: B, ref: 'refs/heads/x', assumed: true });
    assert.deepEqual(await at({ ref: 'x', checksum: B, fetchByCommit: true }), {
      object: B,
      ref: 'refs/heads/x',
      assumed: true,
    });
    assert.deepEqual(asked, []);
    assert.deepEqual(await at({ ref: 'x' }), { object: A, peeled: undefined, ref: 'refs/heads/x' });
    assert.equal(await at({ ref: 'abc123' }), undefined);
    await assert.rejects(at({ ref: 'main' }), /does not contain ref "main"/);
    assert.deepEqual(asked[0], 'ls-remote --symref -- https://h.example/a.git x x^{}');
  });

  test('checksums are of the commit or of the tag', () => {
    const found = { object: A, peeled: B };
    for (const checksum of [undefined, 'aaa', 'BBB', A]) assert.equal(checked(found, { checksum }), found);
    assert.throws(() => checked(found, { checksum: 'ccc' }), /expected checksum to match ccc, got a{40} or b{40}/);
  });
});
