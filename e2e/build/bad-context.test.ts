import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { rawTar } from '../lib/crafted.ts';
import { failsWith, type FailureExpected } from '../lib/failure.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { testUser, userLacking } from '../lib/user.ts';

type Expected = Omit<FailureExpected, 'root' | 'place'>;

const notFound = 66;

/** A store with a context folder, beside which is a file that no build may read. */
function world(): TestStore & { readonly context: string } {
  const store = emptyStore();
  const context = join(store.work, 'context');
  mkdirSync(context);
  writeFileSync(join(store.work, 'canary'), 'outside\n');
  return { ...store, context, [Symbol.dispose]: () => store[Symbol.dispose]() };
}

/** A build whose second line fails as told; nothing of it is written. */
async function fails(store: { root: string; context: string; work: string }, line: string, o: Expected): Promise<void> {
  writeFileSync(join(store.context, 'Dockerfile'), `FROM scratch\n${line}\nCMD ["/x"]\n`);
  const out = join(store.work, 'out.tar');
  await failsWith(['build', '--progress=plain', '-o', `type=tar,dest=${out}`, store.context], {
    ...o,
    root: store.root,
    place: { at: 'Dockerfile:2', line },
  });
  assert.deepEqual(
    readdirSync(store.work).filter((name) => name.startsWith('out.tar') || name.startsWith('.out')),
    [],
    'no half-written output',
  );
}

describe('bad input (must show 8): the build context', () => {
  test('a source that is not there', async () => {
    using store = world();
    writeFileSync(join(store.context, 'package.json'), '{}\n');
    mkdirSync(join(store.context, 'src'));
    writeFileSync(join(store.context, 'src/main.ts'), '');
    await fails(store, 'COPY missing.txt /x', { code: notFound, says: ['"/missing.txt": not found'], help: 'context' });
    await fails(store, 'COPY packge.json /x', {
      code: notFound,
      says: ['"/packge.json": not found'],
      help: '"package.json"',
    });
    await fails(store, 'COPY package.json src/mian.ts /x/', {
      code: notFound,
      says: ['"/src/mian.ts": not found'],
      help: '"src/main.ts"',
    });
    await fails(store, 'ADD nothing.tar.gz /x/', {
      code: notFound,
      says: ['"/nothing.tar.gz": not found'],
      help: 'context',
    });
  });

  test('a source that .dockerignore leaves out', async () => {
    using store = world();
    writeFileSync(join(store.context, 'secret.txt'), 's\n');
    mkdirSync(join(store.context, 'build'));
    writeFileSync(join(store.context, 'build/app'), 'a\n');
    writeFileSync(join(store.context, '.dockerignore'), 'secret.*\nbuild\n');
    const says = '.dockerignore leaves it out by its pattern';
    await fails(store, 'COPY secret.txt /x', {
      code: notFound,
      says: ['"/secret.txt": not found', `${says} "secret.*"`],
      help: '"!secret.txt"',
    });
    await fails(store, 'COPY build/app /x', {
      code: notFound,
      says: ['"/build/app": not found', `${says} "build"`],
      help: '"!build/app"',
    });
    writeFileSync(join(store.context, 'Dockerfile.dockerignore'), 'build/*\n');
    await fails(store, 'COPY build/app /x', {
      code: notFound,
      says: [`${says} "build/*"`],
      help: '"!build/app"',
    });
  });

  test('a source that leads out of the context by ".." or by a link: never read', async () => {
    using store = world();
    symlinkSync('../canary', join(store.context, 'link'));
    symlinkSync('..', join(store.context, 'up'));
    symlinkSync(join(store.work, 'canary'), join(store.context, 'absolute'));
    symlinkSync('/etc', join(store.context, 'etc'));
    await fails(store, 'COPY ../canary /x', { code: notFound, says: ['"/canary": not found'], help: 'context' });
    const outside = 'leads out of the build context';
    await fails(store, 'COPY link /x', { code: notFound, says: ['"/link"', outside], help: 'context' });
    await fails(store, 'COPY up/canary /x', { code: notFound, says: ['"/up/canary"', outside], help: 'context' });
    await fails(store, 'COPY absolute /x', { code: notFound, says: ['"/absolute"', outside], help: 'context' });
    await fails(store, 'COPY etc/passwd /x', { code: notFound, says: ['"/etc/passwd"', outside], help: 'context' });
  });

  test('an archive for ADD that is damaged or cut short', async () => {
    using store = world();
    const tar = rawTar([
      { name: 'a', content: Buffer.alloc(100_000, 'x') },
      { name: 'b', content: 'b' },
    ]);
    const gz = gzipSync(tar, { level: 0 });
    const at = (name: string): string => join(store.context, name);
    writeFileSync(at('short.tar.gz'), gz.subarray(0, gz.length / 2));
    const flipped = Buffer.from(gz);
    flipped[gz.length - 6]! ^= 0xff;
    writeFileSync(at('damaged.tar.gz'), flipped);
    writeFileSync(at('short.tar'), tar.subarray(0, 50_000));
    for (const name of ['short.tar.gz', 'damaged.tar.gz', 'short.tar'])
      await fails(store, `ADD ${name} /x/`, { code: 64, says: [`"/${name}"`], help: /again/ });
  });

  test('an archive for ADD with names that lead out: nothing is written outside', async () => {
    using store = world();
    const canary = join(store.work, 'escaped');
    writeFileSync(
      join(store.context, 'evil.tar'),
      rawTar([
        { name: 'sly', type: 'symlink', target: store.work },
        { name: 'sly/escaped', content: 'x' },
        { name: `../../../../../../../../..${canary}`, content: 'x' },
      ]),
    );
    writeFileSync(join(store.context, 'Dockerfile'), 'FROM scratch\nADD evil.tar /x/\n');
    await failsWith(['build', '--progress=plain', store.context], {
      root: store.root,
      code: 77,
      place: { at: 'Dockerfile:2', line: 'ADD evil.tar /x/' },
      says: ['"/evil.tar"'],
      help: /./,
    });
    assert.ok(!existsSync(canary));
  });

  test('an unreadable file in the context', { skip: userLacking() }, async () => {
    using user = testUser();
    using store = emptyStore(user);
    const at = (name: string): string => join(store.work, name);
    writeFileSync(at('Dockerfile'), 'FROM scratch\nCOPY open.txt /\nCOPY closed.txt /\n');
    writeFileSync(at('open.txt'), 'o\n');
    writeFileSync(at('closed.txt'), 'c\n');
    chmodSync(at('closed.txt'), 0o600);
    const o = { root: store.root, user, cwd: store.work };
    await failsWith(['build', '--progress=plain', '.'], {
      ...o,
      code: 77,
      place: { at: 'Dockerfile:3', line: 'COPY closed.txt /' },
      says: ['"closed.txt": permission denied'],
      help: 'readable',
    });
    mkdirSync(at('closed'), { mode: 0o700 });
    writeFileSync(at('Dockerfile'), 'FROM scratch\nCOPY . /\n');
    writeFileSync(at('.dockerignore'), 'closed.txt\n');
    await failsWith(['build', '--progress=plain', '.'], {
      ...o,
      code: 77,
      says: ['"closed": permission denied'],
      help: '.dockerignore',
    });
    chmodSync(at('Dockerfile'), 0o600);
    await failsWith(['build', '.'], { ...o, code: 77, says: ['Dockerfile": permission denied'], help: 'readable' });
  });
});
