import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, stepsOf, strake } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

const GENERATE = `
case "$EXTEND" in
  both)
    cat > "$CNB_OUTPUT_DIR/build.Dockerfile" <<'EOF'
ARG base_image
FROM \${base_image}
USER root
ARG word
RUN echo "the build image got $word" > /build-tool
ENV EXTENDED=yes PATH=/bin:/extended
ARG user_id
ARG group_id
USER \${user_id}:\${group_id}
EOF
    cat > "$CNB_OUTPUT_DIR/run.Dockerfile" <<'EOF'
ARG base_image
FROM \${base_image}
USER root
COPY note /run-note
RUN printf '#!/bin/sh\\necho an installed program\\n' > /bin/installed && chmod 755 /bin/installed
LABEL io.buildpacks.rebasable=true
ARG user_id
ARG group_id
USER \${user_id}:\${group_id}
EOF
    printf '[[build.args]]\\nname = "word"\\nvalue = "a tool"\\n' > "$CNB_OUTPUT_DIR/extend-config.toml"
    mkdir "$CNB_OUTPUT_DIR/context.run"
    echo a note > "$CNB_OUTPUT_DIR/context.run/note" ;;
  switch)
    printf 'FROM other\\n' > "$CNB_OUTPUT_DIR/run.Dockerfile" ;;
  root)
    printf 'ARG base_image\\nFROM \${base_image}\\nUSER root\\nRUN true\\n' > "$CNB_OUTPUT_DIR/run.Dockerfile" ;;
esac
`;

const BUILD = `
[ -f /build-tool ] && cat /build-tool
printf '[[processes]]\\ntype = "web"\\ncommand = ["sh", "-c", "cat /run-note /other; installed"]\\ndefault = true\\n' > "$CNB_LAYERS_DIR/launch.toml"
`;

suite('image extensions', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'file'), 'x\n');
    await buildTestBuilder(store, {
      buildpacks: [{ id: 'test/app', build: BUILD }],
      extensions: [{ id: 'test/ext', generate: GENERATE }],
    });
    const other = join(store.work, 'other');
    write(join(other, 'Dockerfile'), 'FROM run\nCOPY other /other\n');
    write(join(other, 'other'), 'another run image\n');
    await ok(['build', '-q', '-t', 'other', other], { root: store.root });
  });
  after(() => store[Symbol.dispose]());

  const build = (how: string, ...more: readonly string[]): ReturnType<typeof strake> =>
    strake(['build', '--progress=plain', '-B', 'builder', '-t', how, '-e', `EXTEND=${how}`, ...more, app], {
      root: store.root,
    });
  const labels = async (name: string): Promise<Readonly<Record<string, string>>> => {
    const { stdout } = await ok(['inspect', name], { root: store.root });
    return (JSON.parse(stdout) as [{ Config: { Labels: Record<string, string> } }])[0].Config.Labels;
  };

  test('change the build image and the run image, the application has what they installed', async () => {
    const { stderr, code } = await build('both');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the build image got a tool/);
    const ran = await strake(['run', '--network', 'none', 'both'], { root: store.root });
    assert.match(ran.stdout, /a note\nan installed program\n/);
    const { stdout } = await ok(['history', '--no-trunc', 'both'], { root: store.root });
    assert.match(stdout, /Layer: 'COPY note \/run-note.*', Created by extension: test\/ext/);
    const found = await labels('both');
    assert.equal(found['io.buildpacks.rebasable'], 'true');
    assert.match(found['io.buildpacks.build.metadata'] ?? '', /"extensions":\[\{"id":"test\/ext"/);
    const again = await build('both');
    const steps = [...stepsOf(again.stderr)].filter(([name]) => /RUN (?:echo|printf)/.test(name));
    assert.equal(steps.length, 2);
    for (const [name, how] of steps) assert.match(how, /^CACHED/, name);
  });

  test('name another run image', async () => {
    const { stderr, code } = await build('switch');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"other" is none that the builder names/);
    const ran = await strake(['run', '--network', 'none', 'switch'], { root: store.root });
    assert.match(ran.stdout, /another run image/);
    assert.match((await labels('switch'))['io.buildpacks.lifecycle.metadata'] ?? '', /"image":"other"/);
  });

  test('may not leave a run image that runs as root', async () => {
    const { stderr, code } = await build('root');
    assert.notEqual(code, 0);
    assert.match(stderr, /it would run as "root"/);
  });
});
