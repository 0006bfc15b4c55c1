import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { BuilderWorld, containersLacking, type ContainerCall } from './builder-containers.ts';
import { write, type TestBuildpack, type TestExtension } from './test-builder.ts';

/** Puts a tool into the build image, and a word into the run image. */
const TOOL: TestExtension = {
  id: 'test/tool',
  detect: `printf '[[provides]]\\nname = "tool"\\n' > "$CNB_BUILD_PLAN_PATH"`,
  generate: `
[ "$(cat code 2>/dev/null || echo 0)" = 0 ] || exit 7
grep -q tool "$CNB_BP_PLAN_PATH"
cat > "$CNB_OUTPUT_DIR/build.Dockerfile" <<'EOF'
ARG base_image
FROM \${base_image}
USER root
ARG word
RUN mkdir -p /opt/tool && printf '#!/bin/sh\\necho the tool says %s\\n' "$word" > /opt/tool/tool && chmod 755 /opt/tool/tool && rm /etc/os-release
COPY index.html /opt/tool/copied
ENV PATH=/opt/tool:/bin
ARG user_id
ARG group_id
USER \${user_id}:\${group_id}
EOF
printf '[[build.args]]\\nname = "word"\\nvalue = "hello"\\n' > "$CNB_OUTPUT_DIR/extend-config.toml"
[ -f build-only ] && exit 0
cat > "$CNB_OUTPUT_DIR/run.Dockerfile" <<'EOF'
ARG base_image
FROM \${base_image}
USER root
RUN echo "from the run image" > /run-word && rm /bin/wc
LABEL io.buildpacks.rebasable=true
ARG user_id
ARG group_id
USER \${user_id}:\${group_id}
EOF
if [ -f switch ]; then printf 'FROM %s\\nLABEL io.buildpacks.rebasable=true\\n' "$(cat switch)" > "$CNB_OUTPUT_DIR/run.Dockerfile"; fi
`,
};

const APP: TestBuildpack = {
  id: 'test/app',
  detect: `printf '[[requires]]\\nname = "tool"\\n' > "$2"`,
  build: `
[ "$(id -u)" = 1000 ]
[ ! -e /etc/os-release ]
tool > said.txt
cat /opt/tool/copied >> said.txt
cat > "$CNB_LAYERS_DIR/launch.toml" <<'EOF'
[[processes]]
type = "web"
command = ["sh", "-c", "if [ -f /run-word ]; then cat /run-word >> /workspace/said.txt; fi; [ ! -e /bin/wc ] || echo wc >> /workspace/said.txt; exec httpd -f -p $PORT -h /workspace"]
default = true
EOF`,
};
const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const SOURCE = { 'index.html': 'it answers\n' };

suite('extensions by the programs of the lifecycle', { skip: containersLacking() ?? false }, () => {
  let w: BuilderWorld;
  before(async () => {
    w = await BuilderWorld.open({ buildpacks: [APP], extensions: [TOOL] });
  });
  after(() => w[Symbol.asyncDispose]());

  const atLeast = (api: string, minor: number): boolean => Number(api.slice(2)) >= minor;

  /** All phases with a Platform API as pack calls them (internal/build/lifecycle_execution.go); gives what they said. */
  async function build(name: string, api: string, app: Readonly<Record<string, string>>): Promise<string> {
    w.volumes({ app, keep: ['kaniko'] });
    const env = { CNB_PLATFORM_API: api, CNB_EXPERIMENTAL_MODE: 'warn' };
    const volumes = { '/layers': 'layers', '/workspace': 'workspace' };
    const kaniko = { ...volumes, '/kaniko': 'kaniko' };
    let said = '';
    const phase = async (program: string, args: readonly string[], o: Partial<ContainerCall>): Promise<void> => {
      const done = await w.run([`/cnb/lifecycle/${program}`, ...args], { volumes, ...o, env: { ...env, ...o.env } });
      assert.equal(done.code, 0, `${program}, Platform API ${api}\n${done.stdout}\n${done.stderr}`);
      said += done.stdout + done.stderr;
    };
    await phase('analyzer', ['-run-image', `${w.host}/run`, `${w.host}/${name}`], { asRoot: true, env: w.auth });
    await phase('detector', ['-app', '/workspace'], {});
    await phase('restorer', ['-cache-dir', '/cache', '-build-image', `${w.host}/builder`], {
      asRoot: true,
      env: w.auth,
      volumes: { ...kaniko, '/cache': 'cache' },
    });
    await phase('extender', ['-app', '/workspace'], { asRoot: true, fresh: true, volumes: kaniko });
    if (/^\s*extend = true$/m.test(w.read('layers/analyzed.toml')))
      await phase('extender', ['-app', '/workspace', '-kind', 'run'], {
        asRoot: true,
        fresh: true,
        image: 'run',
        env: { CNB_USER_ID: '1000', CNB_GROUP_ID: '1000' },
        volumes: kaniko,
        binds: { '/cnb': await w.inRoot('builder', 'cnb') },
      });
    await phase('exporter', ['-app', '/workspace', '-cache-dir', '/cache', `${w.host}/${name}`], {
      asRoot: true,
      env: w.auth,
      volumes: { ...kaniko, '/cache': 'cache' },
    });
    return said;
  }

  test('build and run image: the buildpack has the tool, the app what was put below it; again from the cache', async () => {
    const first = await build('both', '0.13', SOURCE);
    assert.match(first, /RUN mkdir -p \/opt\/tool/);
    assert.equal(w.read('workspace/said.txt'), 'the tool says hello\nit answers\n');
    assert.equal(await w.answer('both', 'said.txt'), 'the tool says hello\nit answers\nfrom the run image\n');
    const { config, history, rootfs } = await w.shown('both');
    assert.equal(config.Labels['io.buildpacks.rebasable'], 'true');
    assert.match(config.Labels['io.buildpacks.build.metadata'] ?? '', /"extensions":\[\{"id":"test\/tool"/);
    assert.equal(config.User, '1000:1000');
    const base = (await w.shown('run')).rootfs.diff_ids;
    assert.deepEqual(rootfs.diff_ids.slice(0, base.length), base);
    assert.match(history[base.length]?.created_by ?? '', /^Layer: 'RUN .*', Created by extension: test\/tool$/s);
    const known = JSON.parse(config.Labels['io.buildpacks.lifecycle.metadata'] ?? '') as {
      runImage: { topLayer: string };
    };
    assert.equal(known.runImage.topLayer, base.at(-1));
    // Elsewhere, another day: the same layers. What was run is not run again.
    assert.doesNotMatch(first, /\(cached\)/);
    const again = await build('again', '0.13', SOURCE);
    assert.match(again, /RUN mkdir -p \/opt\/tool.*\(cached\)[^]*RUN echo "from the run image".*\(cached\)/);
    assert.deepEqual((await w.shown('again')).rootfs, rootfs);
    assert.equal(w.read('workspace/said.txt'), 'the tool says hello\nit answers\n');
  });

  for (const api of FULL ? ['0.10', '0.11', '0.12', '0.15'] : [])
    test(`Platform API ${api}: its layout of what was generated`, async () => {
      await build(`api-${api}`, api, { ...SOURCE, ...(atLeast(api, 12) ? {} : { 'build-only': '' }) });
      assert.equal(w.read('workspace/said.txt'), 'the tool says hello\nit answers\n');
      const generated = readdirSync(w.at('layers/generated'));
      assert.deepEqual(generated, atLeast(api, 13) ? ['test_tool'] : atLeast(api, 12) ? ['build', 'run'] : ['build']);
      const { history } = await w.shown(`api-${api}`);
      assert.equal(
        history.some(({ created_by: text = '' }) => text.includes('Created by extension: test/tool')),
        atLeast(api, 12),
      );
    });

  test('another run image: what it is for is found out, nothing is extended', async () => {
    await w.strake('copy', 'run', `docker://${w.host}/other`);
    const said = await build('switched', '0.14', { ...SOURCE, switch: `${w.host}/other` });
    assert.match(said, /new runtime base image '.*other' not found in run metadata/);
    const analyzed = w.read('layers/analyzed.toml');
    assert.match(analyzed, new RegExp(`image = "${w.host}/other"`));
    assert.match(analyzed, new RegExp(`reference = "${w.host}/other@sha256:`));
    assert.match(analyzed, /\[run-image.target\]/);
  });

  test('exit codes', async () => {
    const env = { CNB_PLATFORM_API: '0.13' };
    const volumes = { '/layers': 'layers', '/workspace': 'workspace' };
    const code = async (
      program: string,
      args: readonly string[],
      o: Partial<ContainerCall> & { says: RegExp },
    ): Promise<number> => {
      const done = await w.run([`/cnb/lifecycle/${program}`, ...args], { volumes, ...o, env: { ...env, ...o.env } });
      assert.match(done.stdout + done.stderr, o.says);
      assert.doesNotMatch(done.stderr, /\n\s+at /);
      return done.code;
    };
    w.volumes({ app: { ...SOURCE, code: '7' } });
    assert.equal(
      await code('detector', [], {
        says: /generate with extension "test\/tool@1.0.0": its bin\/generate ended with exit status 7/,
      }),
      91,
    );
    const old = { CNB_PLATFORM_API: '0.12' };
    assert.equal(await code('detector', [], { env: old, says: /'Dockerfiles': it is an experimental feature/ }), 3);
    write(w.at('workspace/code'), '0');
    assert.equal(await code('detector', [], { says: /test\/app/ }), 0);
    assert.ok(existsSync(w.at('layers/generated/test_tool/build.Dockerfile')));
    assert.equal(await code('extender', ['-kind', 'x'], { asRoot: true, says: /-kind "x"/ }), 3);
    assert.equal(
      await code('extender', [], { asRoot: true, says: /getting build image to extend: analyzed.toml names none/ }),
      102,
    );
  });
});
