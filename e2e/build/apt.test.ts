import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { testUser, userLacking } from '../lib/user.ts';

const DOCKERFILE = `FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends hello && rm -rf /var/lib/apt/lists/*
RUN hello --greeting=installed && dpkg --audit && dpkg -s hello | grep -q "^Status: install ok installed"
RUN useradd -m -s /bin/bash web && install -o web -g web -m 640 /dev/null /home/web/mine
USER web
WORKDIR /home/web/app
RUN id -un > who && test "$(stat -c %U:%a ../mine)" = web:640 && ! cat /etc/shadow
`;

async function build(o: Parameters<typeof ok>[1] & { work: string }): Promise<string> {
  writeFileSync(join(o.work, 'Dockerfile'), DOCKERFILE);
  const { stdout, stderr } = await ok(
    ['build', '--progress=plain', '-t', 'with-hello', '-o', `type=tar,dest=${join(o.work, 'root.tar')}`, o.work],
    o,
  );
  assert.match(stderr, /installed/);
  return stdout.trim();
}

describe('apt-get install in a RUN on a base made from packages (must show 3)', () => {
  test('as root: the built image lists the package', async () => {
    using store = await storeWithBase();
    await build({ root: store.root, work: store.work });
    assert.match(dpkgStatus(join(store.work, 'root.tar')), /^Package: hello$/m);
  });

  test('as an ordinary user with a range of ids', { skip: userLacking() }, async () => {
    using user = testUser();
    using store = await storeWithBase(user);
    await build({ root: store.root, work: store.work, user, cwd: user.home });
    assert.match(dpkgStatus(join(store.work, 'root.tar')), /^Package: hello$/m);
  });
});

function dpkgStatus(archive: string): string {
  return execFileSync('tar', ['-xOf', archive, 'var/lib/dpkg/status'], { maxBuffer: 64 << 20 }).toString();
}
