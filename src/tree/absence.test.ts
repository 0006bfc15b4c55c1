import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { absenceIn, nearPath } from './absence.ts';

function folder(t: TestContext, ...files: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-absence-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return root;
}

test('what a pattern leaves out is said with that pattern: the last that matters', (t) => {
  const root = folder(t, 'build/app', 'a.txt');
  const absence = absenceIn(root, '/build/app', ['*.txt', 'build', '!other']);
  assert.match(absence.detail ?? '', /pattern "build"$/);
  assert.match(absence.remedy, /"!build\/app"/);
  assert.match(absenceIn(root, 'a.txt', ['a*', '!a.txt', '*.txt']).detail ?? '', /pattern "\*\.txt"$/);
  symlinkSync('build/app', join(root, 'link'));
  assert.match(absenceIn(root, 'link', ['build']).detail ?? '', /pattern "build"$/);
});

test('a link that leads outside is named, and where it leads', (t) => {
  const root = folder(t, 'sub/a');
  symlinkSync('../../secret', join(root, 'sub/up'));
  symlinkSync('/etc', join(root, 'etc'));
  symlinkSync('../sub', join(root, 'sub/inside'));
  symlinkSync('loop', join(root, 'loop'));
  assert.match(
    absenceIn(root, 'sub/up').detail ?? '',
    /"\/sub\/up" is a link to "\.\.\/\.\.\/secret", which leads out/,
  );
  assert.match(absenceIn(root, 'etc/passwd').detail ?? '', /"\/etc" is a link to "\/etc", which leads out/);
  assert.equal(absenceIn(root, 'sub/inside/b').detail, undefined);
  assert.match(absenceIn(root, 'loop').detail ?? '', /too many symbolic links/);
});

test('a name that is nearly right is offered, but not one that is left out', (t) => {
  const root = folder(t, 'src/main.ts', 'package.json', 'packages.json');
  assert.equal(absenceIn(root, 'src/mian.ts').remedy, 'Did you mean "src/main.ts"?');
  assert.equal(absenceIn(root, '/scr/main.ts').remedy, 'Did you mean "src/main.ts"?');
  assert.equal(absenceIn(root, 'packagee.json', ['package.json']).remedy, 'Did you mean "packages.json"?');
  assert.match(absenceIn(root, 'other').remedy, /^Check the path/);
  assert.match(absenceIn(root, 'src/main.ts/x').remedy, /^Check the path/);
  assert.equal(nearPath('a/x', { names: () => ['a', 'b'], exists: (path) => path === 'b' }), undefined);
});
