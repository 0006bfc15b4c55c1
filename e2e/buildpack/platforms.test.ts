import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { parseReport } from '../../src/frontend/buildpack/index.ts';
import { BuilderWorld, containersLacking, type ContainerCall } from './builder-containers.ts';
import { write, type TestBuildpack } from './test-builder.ts';

/** A layer that is kept in the cache, and a web server. */
const WEB: TestBuildpack = {
  id: 'test/web',
  detect: '[ -f index.html ] || exit 100',
  build: `
layers=$1
[ -z "\${CNB_REGISTRY_AUTH:-}" ]
if [ -n "\${CNB_OTEL_TRACEPARENT:-}" ]; then echo "trace $CNB_OTEL_TRACEPARENT"; fi
if [ -d "$layers/tool" ]; then echo "restored: $(cat "$layers/tool/made")"; fi
mkdir -p "$layers/tool"
echo once > "$layers/tool/made"
printf '[types]\\nlaunch = true\\ncache = true\\n' > "$layers/tool.toml"
if [ -f "$CNB_PLATFORM_DIR/env/GREETING" ]; then cp "$CNB_PLATFORM_DIR/env/GREETING" greeting; fi
cat > "$layers/launch.toml" <<'EOF'
[[processes]]
type = "web"
command = ["sh", "-c", "exec httpd -f -p $PORT -h ."]
default = true
EOF`,
};
const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const APP = { 'index.html': 'it answers\n' };

suite('platforms call the lifecycle in a builder that strake made', { skip: containersLacking() ?? false }, () => {
  let w: BuilderWorld;
  before(async () => {
    w = await BuilderWorld.open({ buildpacks: [WEB] });
  });
  after(() => w[Symbol.asyncDispose]());

  /** A program of the lifecycle in a container of its own, expected to succeed. */
  async function phase(name: string, args: readonly string[], o: ContainerCall): Promise<string> {
    const done = await w.run([`/cnb/lifecycle/${name}`, ...args], o);
    assert.equal(done.code, 0, `${name} ${args.join(' ')}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  }

  // Argument lists are those of pack 0.38, internal/build/lifecycle_execution.go, with --publish.
  test('pack, trusted builder: creator', async () => {
    w.volumes({ app: APP });
    const create = (): Promise<string> =>
      phase(
        'creator',
        [
          '-app',
          '/workspace',
          '-cache-dir',
          '/cache',
          '-run-image',
          `${w.host}/run`,
          '-tag',
          `${w.host}/pack:2`,
          `${w.host}/pack`,
        ],
        {
          asRoot: true,
          env: { CNB_PLATFORM_API: '0.14', ...w.auth },
          volumes: { '/layers': 'layers', '/workspace': 'workspace', '/cache': 'cache' },
        },
      );
    await create();
    assert.equal(await w.answer('pack'), 'it answers\n');
    const { digest } = parseReport(w.read('layers/report.toml'), 'report.toml');
    w.volumes({ app: APP, keep: ['cache'] });
    const second = await create();
    assert.match(second, /restored: once[^]*Reusing layer 'test\/web:tool'/);
    assert.equal(parseReport(w.read('layers/report.toml'), 'report.toml').digest, digest);
  });

  test('pack, other builders: five containers, the builder as lifecycle image', async () => {
    w.volumes({ app: APP });
    const env = { CNB_PLATFORM_API: '0.14' };
    const trusted = { CNB_USER_ID: '1000', CNB_GROUP_ID: '1000', ...env };
    const volumes = { '/layers': 'layers', '/workspace': 'workspace' };
    write(w.at('layers/run.toml'), `[[images]]\nimage = "${w.host}/run"\n`);
    const name = `${w.host}/five`;
    for (const round of FULL ? ['first', 'second'] : ['first']) {
      await phase('analyzer', ['-run', '/layers/run.toml', '-run-image', `${w.host}/run`, name], {
        asRoot: true,
        env: { ...trusted, ...w.auth },
        volumes,
      });
      await phase('detector', ['-app', '/workspace'], { env, volumes });
      await phase('restorer', ['-cache-dir', '/cache'], {
        asRoot: true,
        env: trusted,
        volumes: { ...volumes, '/cache': 'cache' },
      });
      const said = await phase('builder', ['-app', '/workspace'], { env, volumes });
      assert.equal(/restored: once/.test(said), round === 'second');
      await phase('exporter', ['-app', '/workspace', '-cache-dir', '/cache', '-run', '/layers/run.toml', name], {
        asRoot: true,
        env: { ...trusted, ...w.auth },
        volumes: { ...volumes, '/cache': 'cache' },
      });
    }
    assert.equal(await w.answer('five'), 'it answers\n');
    assert.deepEqual((await w.shown('five')).rootfs, (await w.shown('pack')).rootfs);
  });

  // pkg/apis/build/v1alpha2/build_pod.go: nobody is root, and nothing is allowed.
  test("kpack's build pod", async () => {
    w.volumes({ app: APP });
    const layers = { '/layers': 'layers' };
    const home = { '/builder/home': 'home' };
    const cache = { '/cache': 'cache' };
    const workspace = { '/workspace': 'workspace' };
    const platform = { '/platform': 'platform' };
    const env = { CNB_PLATFORM_API: '0.9', HOME: '/builder/home' };
    const step = (program: string, args: readonly string[], o: ContainerCall): Promise<string> =>
      phase(program, args, { ...o, env: { ...env, ...o.env }, restricted: true });
    // What its prepare step leaves.
    write(
      w.at('home/.docker/config.json'),
      JSON.stringify({ auths: { [w.host]: { username: 'ann', password: 'word' } } }),
    );
    write(w.at('platform/env/GREETING'), 'hello');
    write(w.at('layers/project-metadata.toml'), '[source]\ntype = "git"\n[source.version]\ncommit = "abc"\n');
    const name = `${w.host}/kpack`;
    const group = '-group=/layers/group.toml';
    const plan = '-plan=/layers/plan.toml';
    const analyzed = '-analyzed=/layers/analyzed.toml';
    await step('analyzer', ['-layers=/layers', analyzed, `-run-image=${w.host}/run`, `-tag=${name}:b1`, name], {
      volumes: { ...layers, ...workspace, ...home },
    });
    await step('detector', ['-app=/workspace', group, plan], { volumes: { ...layers, ...platform, ...workspace } });
    await step('restorer', [group, '-layers=/layers', '-cache-dir=/cache', analyzed], {
      volumes: { ...layers, ...home, ...cache },
    });
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const said = await step('builder', ['-layers=/layers', '-app=/workspace', group, plan], {
      env: { SERVICE_BINDING_ROOT: '/platform/bindings', TRACEPARENT: trace },
      volumes: { ...layers, ...platform, ...workspace },
    });
    assert.ok(said.includes(`trace ${trace}`));
    await step(
      'exporter',
      [
        '-layers=/layers',
        '-app=/workspace',
        group,
        analyzed,
        '-project-metadata=/layers/project-metadata.toml',
        '-cache-dir=/cache',
        '-process-type=web',
        '-report=/var/report/report.toml',
        name,
        `${name}:b1`,
      ],
      {
        env: { SOURCE_DATE_EPOCH: '1700000000', CNB_RUN_IMAGE: `${w.host}/run` },
        volumes: { ...layers, ...workspace, ...home, ...cache, '/var/report': 'report' },
      },
    );
    assert.equal(await w.answer('kpack', 'greeting'), 'hello');
    assert.deepEqual(parseReport(w.read('report/report.toml'), 'report.toml').tags, [name, `${name}:b1`]);
    const { config } = await w.shown('kpack');
    assert.match(config.Labels['io.buildpacks.project.metadata'] ?? '', /"commit":"abc"/);
  });

  // task/buildpacks-phases/0.3: parameters that are not set are empty flags.
  test("Tekton's task buildpacks-phases", async () => {
    w.volumes({ app: {} });
    write(w.at('workspace/app/index.html'), 'it answers\n');
    write(
      w.at('home/.docker/config.json'),
      JSON.stringify({ auths: { [w.host]: { auth: Buffer.from('ann:word').toString('base64') } } }),
    );
    const env = { CNB_EXPERIMENTAL_MODE: 'silent', HOME: '/tekton/home', CNB_PLATFORM_API: '0.13' };
    const volumes = {
      '/layers': 'layers',
      '/tekton/home': 'home',
      '/workspace/source': 'workspace',
      '/workspace/cache': 'cache',
    };
    const app = '-app=/workspace/source/app';
    const files = ['-group=/layers/group.toml', '-plan=/layers/plan.toml'];
    const ids = ['-uid=1000', '-gid=1000'];
    const name = `${w.host}/tekton`;
    const o = { env, volumes };
    await phase(
      'analyzer',
      [
        '-log-level=info',
        '-layers=/layers',
        '-run-image=',
        '-cache-image=',
        ...ids,
        '-insecure-registry=',
        '-tag=',
        '-skip-layers=false',
        name,
      ],
      o,
    );
    const platform = { ...volumes, '/platform': 'platform' };
    await phase('detector', ['-log-level=info', app, ...files, '-layers=/layers', '-platform=/platform'], {
      env,
      volumes: platform,
    });
    await phase(
      'restorer',
      [
        '-log-level=info',
        `-build-image=${w.host}/builder`,
        '-group=/layers/group.toml',
        '-layers=/layers',
        '-cache-dir=/workspace/cache',
        '-cache-image=',
        ...ids,
        '-insecure-registry=',
        '-skip-layers=false',
      ],
      { env, volumes: { ...volumes, '/kaniko': 'kaniko' } },
    );
    await phase('builder', ['-log-level=info', app, '-layers=/layers', ...files, '-platform=/platform'], {
      env,
      volumes: platform,
    });
    await phase(
      'exporter',
      [
        '-log-level=info',
        app,
        '-layers=/layers',
        '-group=/layers/group.toml',
        '-cache-dir=/workspace/cache',
        '-cache-image=',
        '-report=/layers/report.toml',
        '-process-type=web',
        ...ids,
        '-insecure-registry=',
        name,
      ],
      o,
    );
    assert.equal(await w.answer('tekton', 'index.html'), 'it answers\n');
    assert.ok(existsSync(w.at('cache/committed')));
  });
});
