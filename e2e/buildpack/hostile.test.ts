import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { foundBelow, foundIn, formsOf } from '../lib/search.ts';
import { emptyStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';
import { buildTestBuilder, write } from './test-builder.ts';

/** All that it can find is said, all that it can reach is written to, and it leaves a process behind. */
const HOSTILE = `
mark=$(cat mark)
echo "== own: $(id -u)"
env
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/1/root/etc/shadow; do cat "$file" 2>/dev/null | tr '\\0' '\\n' || true; done
ls -l /proc/[0-9]*/fd 2>/dev/null || true
for fd in 3 4 5 6 7 8 9 10 11 12; do cat <&$fd 2>/dev/null & done; sleep 0.1; kill $(jobs -p) 2>/dev/null || true
find / -xdev \\( -name 'config.json' -o -name '.netrc' -o -name '*.sock' -o -name 'strake.db' \\) 2>/dev/null -exec cat {} \\; || true
cat "$HOME/.docker/config.json" /root/.docker/config.json /run/secrets/* "\${SERVICE_BINDING_ROOT:-/none}"/*/* 2>/dev/null || true
for place in /layers /layers/test_other /platform /platform/env /cnb /cnb/buildpacks /etc /bin /proc/sys/kernel; do
  if echo "$mark" > "$place/written" 2>/dev/null; then echo "== wrote $place"; fi
done
(sleep 600 "$mark" 2>/dev/null || exec sleep 600) > /dev/null 2>&1 &
`;

const OTHER =
  'echo "the other has: $(wc -c < /run/secrets/token)"; test ! -e /layers/written; test ! -e "$CNB_LAYERS_DIR/written"; test ! -e /bin/written';

for (const who of ['root', 'an ordinary user'] as const)
  describe(
    `a hostile buildpack (must show 5 and 11), as ${who}`,
    { skip: who === 'root' ? false : userLacking() },
    () => {
      test('learns no credential, writes nowhere but where it may, leaves nothing', async () => {
        using user: TestUser | undefined = who === 'root' ? undefined : testUser();
        using store = emptyStore(user);
        const secret = randomBytes(24).toString('hex');
        const login = randomBytes(24).toString('hex');
        const word = randomBytes(24).toString('hex');
        const mark = `mark-${randomBytes(8).toString('hex')}`;
        const app = join(store.work, 'app');
        write(join(app, 'mark'), `${mark}\n`);
        const docker = join(store.work, 'docker');
        const auth = Buffer.from(`someone:${login}`).toString('base64');
        write(join(docker, 'config.json'), JSON.stringify({ auths: { 'registry.example': { auth } } }));
        const token = join(store.work, 'token');
        writeFileSync(token, secret);
        const binding = join(store.work, 'db');
        write(join(binding, 'type'), 'postgresql');
        if (user) chownAll(store.work, user);
        await buildTestBuilder(store, {
          user,
          buildpacks: [
            { id: 'test/hostile', detect: HOSTILE.replace(/^\(sleep.*$/m, ''), build: HOSTILE },
            { id: 'test/other', build: OTHER },
          ],
        });
        const before = sleepers();
        const args = ['build', '--progress=plain', '-B', 'builder', '-t', 'app'];
        const flags = ['--secret', `id=token,src=${token},buildpack=test/other`, '--binding', binding];
        const metadata = join(store.work, 'metadata.json');
        const { stdout, stderr } = await ok([...args, ...flags, '--metadata-file', metadata, app], {
          root: store.root,
          user,
          env: { DOCKER_CONFIG: docker, REGISTRY_PASSWORD: word },
        });
        assert.match(stderr, /== own: 1000/);
        assert.match(stderr, /the other has: 48/);
        // What it may write to besides its own folders is gone with the step: its view of the builder.
        assert.doesNotMatch(stderr, /== wrote \/(?:layers|platform|proc)/);
        const needles = [
          ...formsOf('the secret', Buffer.from(secret)),
          ...formsOf('the login', Buffer.from(login)),
          ...formsOf('the environment of strake', Buffer.from(word)),
        ];
        const said = foundIn('what was printed', Buffer.from(stdout + stderr), needles);
        assert.deepEqual([...said, ...foundIn('metadata', readFileSync(metadata), needles)], []);
        const { found, files } = foundBelow(store.root, needles);
        assert.deepEqual(found, []);
        assert.ok(files > 20, `${files} files were read`);
        // The mark is in the application, and in nothing else that became a layer.
        const out = join(store.work, 'out');
        mkdirSync(out);
        if (user) chownSync(out, user.uid, user.gid);
        await ok([...args, ...flags, '-o', out, app], { root: store.root, user });
        const marked = foundBelow(out, [{ name: 'the mark', bytes: Buffer.from(mark) }]).found;
        assert.deepEqual(
          marked.map((text) => text.replace(/.*\/out/, '')),
          ['/workspace/mark'],
        );
        assert.deepEqual(
          sleepers().filter((pid) => !before.includes(pid)),
          [],
        );
        assert.deepEqual(leftovers(store.root), []);
      });
    },
  );

describe('buildpacks where nothing is isolated', () => {
  test('are refused', async () => {
    using store = emptyStore();
    const app = join(store.work, 'app');
    write(join(app, 'file'), '');
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/any' }] });
    const refused = await strake(['build', '--ground', 'chroot', '-B', 'builder', app], { root: store.root });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /nothing is isolated/);
  });
});

function chownAll(folder: string, user: TestUser): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    chownSync(join(entry.parentPath, entry.name), user.uid, user.gid);
}

/** Processes of the kind that the buildpack leaves. */
function sleepers(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/cmdline`)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep\x00600');
    } catch {
      return false;
    }
  });
}
