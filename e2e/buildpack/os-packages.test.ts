import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { storeWithBuilder, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { write } from './test-builder.ts';

const PROJECT = `[_]
schema-version = "0.2"

[[io.buildpacks.build.env]]
name = "BP_OS_PACKAGES"
value = "hello"
`;

suite('packages of the operating system that a project asks for (must show 8)', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = await storeWithBuilder();
    app = join(store.work, 'app');
    write(join(app, 'Procfile'), 'web: hello -g "installed and running"\n');
    write(join(app, 'project.toml'), PROJECT);
  });
  after(() => store?.[Symbol.dispose]());

  test('are in the build image and in the run image; the application runs them; again they come from the cache', async () => {
    const { stderr } = await ok(['build', '--progress=plain', '-t', 'app', app], { root: store.root });
    assert.equal([...stderr.matchAll(/Setting up hello/g)].length, 2);
    const ran = await ok(['run', '--network', 'none', 'app'], { root: store.root });
    assert.equal(ran.stdout, 'installed and running\n');
    assert.match((await ok(['inspect', 'app'], { root: store.root })).stdout, /"io.buildpacks.rebasable": "false"/);
    const refused = await strake(['rebase', 'app'], { root: store.root });
    assert.match(refused.stderr, /not marked as rebasable/);
    const again = await ok(['build', '--progress=plain', '-t', 'app', app], { root: store.root });
    assert.equal([...again.stderr.matchAll(/^#(\d+) .*RUN apt-get update.*\n#\1 CACHED/gm)].length, 2, again.stderr);
  });

  test('what is no name of a package is told of', async () => {
    const { code, stderr } = await strake(['build', '--progress=plain', '-e', 'BP_OS_PACKAGES=$(reboot)', app], {
      root: store.root,
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /"\$\(reboot\)" is no name of a Debian package/);
  });
});
