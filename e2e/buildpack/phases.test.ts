import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parseReport } from '../../src/frontend/buildpack/index.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';
import { PhaseWorld, phasesLacking, type PhaseCall, type PhaseRun } from './phase-world.ts';
import { buildTestBuilder, write, type TestBuildpack } from './test-builder.ts';

const PLATFORM_APIS = [7, 8, 9, 10, 11, 12, 13, 14, 15].map((minor) => `0.${minor}`);
const BUILDPACK_APIS = [7, 8, 9, 10, 11, 12];
const LOGIN = Buffer.from('ann:word').toString('base64');

/** One buildpack of each Buildpack API: a layer that is launched, used by the next one and cached, a process in the form of that API. */
const buildpackOf = (minor: number): TestBuildpack => ({
  id: `test/api-${minor}`,
  api: `0.${minor}`,
  detect: `
[ -f app.txt ] || exit 100
[ -z "\${CNB_REGISTRY_AUTH:-}" ] || exit 1
printf '[[provides]]\\nname = "tool-${minor}"\\n[[requires]]\\nname = "tool-${minor}"\\n' > "$2"`,
  build: `
layers=$1
if [ -d "$layers/tool" ]; then echo "restored ${minor}: $(cat "$layers/tool/bin/version")"; fi
grep -q 'tool-${minor}' "$3"
[ -z "\${CNB_REGISTRY_AUTH:-}" ]
if grep -qa CNB_REGISTRY_AUTH /proc/$PPID/environ /proc/$PPID/task/*/environ 2>/dev/null; then echo it can be read; exit 4; fi
mkdir -p "$layers/tool/bin"
printf ${minor} > "$layers/tool/bin/version"
printf '[types]\\nlaunch = true\\nbuild = true\\ncache = true\\n[metadata]\\nminor = "${minor}"\\n' > "$layers/tool.toml"
echo '{"bomFormat": "CycloneDX"}' > "$layers/tool.sbom.cdx.json"
case $PATH in *api-${minor - 1}/tool/bin*) ;; *) [ ${minor} = 7 ] || exit 3 ;; esac
echo "exec ${minor}: \${CNB_EXEC_ENV:-none} os \${CNB_TARGET_OS:-none} layers \${CNB_LAYERS_DIR:-none}"
printf '[[processes]]\\ntype = "web-${minor}"\\n%s\\nargs = ["a"]\\n' '${minor < 9 ? 'command = "run"\ndirect = true' : 'command = ["run", "always"]'}' > "$layers/launch.toml"
echo ${minor} >> made.txt`,
});

interface Shown {
  readonly created: string;
  readonly config: {
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
    readonly Entrypoint: readonly string[];
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created_by?: string }[];
}

suite(
  'the programs of the lifecycle',
  { concurrency: 2, skip: phasesLacking() ?? lacking('docker-registry', 'skopeo', 'htpasswd') },
  () => {
    const stack = new AsyncDisposableStack();
    let store: TestStore;
    let host: string;
    let folder: string;
    let auth: Record<string, string>;

    before(async () => {
      store = stack.use(emptyStore());
      folder = stack.use(scratchFolder()).path;
      const registry = stack.use(await dockerRegistry(folder, { users: { ann: 'word' } }));
      ({ host } = registry);
      write(join(folder, 'docker/config.json'), JSON.stringify({ auths: { [host]: { auth: LOGIN } } }));
      auth = { CNB_REGISTRY_AUTH: JSON.stringify({ [host]: `Basic ${LOGIN}` }) };
      await buildTestBuilder(store, { buildpacks: BUILDPACK_APIS.map(buildpackOf) });
      await strakeOk('copy', 'run', `docker://${host}/run`);
    });
    after(() => stack.disposeAsync());

    const strakeOk = (...args: readonly string[]): ReturnType<typeof ok> =>
      ok(args, { root: store.root, env: { DOCKER_CONFIG: join(folder, 'docker') } });
    const world = (buildpacks: readonly TestBuildpack[] = BUILDPACK_APIS.map(buildpackOf), run = 'run'): PhaseWorld =>
      new PhaseWorld({ buildpacks, runImage: `${host}/${run}`, app: { 'app.txt': 'the app\n' } });
    const shown = async (name: string): Promise<Shown> =>
      JSON.parse(
        await skopeo(
          folder,
          'inspect',
          '--config',
          '--tls-verify=false',
          '--creds',
          'ann:word',
          `docker://${host}/${name}`,
        ),
      ) as Shown;

    /** A program with a Platform API, expected to succeed. */
    async function phase(
      w: PhaseWorld,
      name: string,
      o: { api: string; args?: readonly string[] } & PhaseCall,
    ): Promise<PhaseRun> {
      const done = await w.run(name, o.args ?? [], { ...o, env: { CNB_PLATFORM_API: o.api, ...o.env } });
      assert.equal(done.code, 0, `${name}, Platform API ${o.api}\n${done.stdout}\n${done.stderr}`);
      return done;
    }

    test('creator: what "strake build" makes of the same input; the second build finds all of it again', async () => {
      using w = world();
      await strakeOk(
        'build',
        '-q',
        '-B',
        'builder',
        '--run-image',
        `${host}/run`,
        '--push',
        '-t',
        `${host}/built`,
        w.at('workspace'),
      );
      // As pack calls it for a builder that is trusted: root, who is to become the builder's user.
      const call = { api: '0.15', asRoot: true, env: auth };
      const args = [
        '-app=/workspace',
        '-cache-dir=/cache',
        '-run-image',
        `${host}/run`,
        '-uid=1000',
        '-tag',
        `${host}/more`,
      ];
      const first = await phase(w, 'creator', { ...call, args: [...args, `${host}/created`] });
      const [created, built] = [await shown('created'), await shown('built')];
      assert.deepEqual(created, built);
      assert.deepEqual(await shown('more'), created);
      assert.deepEqual(
        first.stdout.split('\n').filter((line) => line.startsWith('===>')),
        ['ANALYZING', 'DETECTING', 'RESTORING', 'BUILDING', 'EXPORTING'].map((name) => `===> ${name}`),
      );
      assert.match(first.stdout, /exec 12: production os linux layers \/layers\/test_api-12/);
      const report = parseReport(w.read('layers/report.toml'), 'report.toml');
      assert.deepEqual(report.tags, [`${host}/created`, `${host}/more`]);
      assert.match(
        first.stdout,
        new RegExp(`\\*\\*\\* Images \\(${report.digest?.slice(0, 19)}\\):\\n      ${host}/created`),
      );
      assert.equal(readdirSync(w.at('cache/committed')).length, BUILDPACK_APIS.length + 2);

      again(w);
      const second = await phase(w, 'creator', { ...call, args: [...args, `${host}/created`] });
      assert.match(second.stdout, /restored 7: 7\n[^]*restored 12: 12/);
      assert.match(second.stdout, /Reusing layer 'test\/api-9:tool'/);
      assert.doesNotMatch(second.stdout, /Adding layer/);
      assert.equal(parseReport(w.read('layers/report.toml'), 'report.toml').digest, report.digest);

      // A cache that is damaged, and what a machine that went down between two renames leaves.
      const [tar = ''] = readdirSync(w.at('cache/committed')).filter((name) => name.endsWith('.tar'));
      appendFileSync(w.at(`cache/committed/${tar}`), 'x');
      again(w);
      const third = await phase(w, 'creator', { ...call, args: [...args, `${host}/created`] });
      assert.match(third.stderr, /Warning: Skipping restore .*: read ".*\.tar": its content has digest/);
      assert.equal(parseReport(w.read('layers/report.toml'), 'report.toml').digest, report.digest);
    });

    for (const api of PLATFORM_APIS)
      test(`Platform API ${api}: a buildpack of every Buildpack API`, async () => {
        using w = world();
        const name = `matrix-${api}`;
        const five = ['0.7', '0.12'].includes(api);
        let said = '';
        const run = async (program: string, ...args: readonly string[]): Promise<void> => {
          said += (await phase(w, program, { api, args, env: ['detector', 'builder'].includes(program) ? {} : auth }))
            .stdout;
        };
        if (five) {
          const cache = `-cache-image=${host}/cache-${api}`;
          await run('analyzer', cache, `${host}/${name}`);
          await run('detector');
          await run('restorer', cache);
          await run('builder');
          await run('exporter', cache, '-process-type', 'web-9', `${host}/${name}`, `${host}/${name}-more`);
          await run('analyzer', cache, `${host}/${name}`);
          await run('restorer', cache);
          assert.match(said, /Restoring data for "test\/api-7:tool" from cache/);
          assert.equal(w.read('layers/test_api-7/tool/bin/version'), '7');
        } else await run('creator', '-process-type=web-9', `${host}/${name}`);
        const { config, history } = await shown(name);
        assert.ok(config.Env.includes(`CNB_PLATFORM_API=${api}`));
        assert.deepEqual(config.Entrypoint, ['/cnb/process/web-9']);
        const atLeast = (minor: number): boolean => Number(api.slice(2)) >= minor;
        assert.match(said, new RegExp(`exec 12: ${atLeast(15) ? 'production' : 'none'} os linux`));
        assert.equal(history.at(-1)?.created_by, atLeast(12) ? 'Buildpacks Process Types' : undefined);
        assert.equal(w.read('layers/analyzed.toml').includes('[run-image.target]'), atLeast(12));
        assert.equal(existsSync(w.at('layers/sbom/launch/test_api-7/tool/sbom.cdx.json')), !five || !atLeast(8));
        const { processes, buildpacks } = JSON.parse(config.Labels['io.buildpacks.build.metadata']!) as {
          processes: readonly { type: string; command: unknown; args: unknown }[];
          buildpacks: readonly { id: string }[];
        };
        assert.deepEqual(
          buildpacks.map(({ id }) => id),
          BUILDPACK_APIS.map((minor) => `test/api-${minor}`),
        );
        assert.deepEqual(
          processes.filter(({ type }) => type === 'web-9').map(({ command, args }) => [command, args]),
          [atLeast(10) ? [['run', 'always'], ['a']] : ['run', ['always', 'a']]],
        );
        const known = JSON.parse(config.Labels['io.buildpacks.lifecycle.metadata']!) as {
          stack: { runImage: { image: string } };
          sbom?: { sha: string };
          buildpacks: readonly { layers: Record<string, { data: unknown }> }[];
        };
        assert.equal(known.stack.runImage.image, `${host}/run`);
        assert.equal(known.sbom !== undefined, atLeast(8));
        assert.deepEqual(
          known.buildpacks.map(({ layers }) => layers['tool']?.data),
          BUILDPACK_APIS.map((minor) => ({ minor: String(minor) })),
        );
      });

    test('exit codes', async () => {
      using w = world([
        { id: 'test/fails', detect: 'exit "$(cat code)"', build: 'echo it breaks >&2; exit 7' },
        { id: 'test/old', api: '0.6' },
      ]);
      w.order(['test/fails']);
      const code = async (
        name: string,
        o: PhaseCall & { api?: string; args?: readonly string[]; says: RegExp },
      ): Promise<number> => {
        const done = await w.run(name, o.args ?? [], { ...o, env: { CNB_PLATFORM_API: o.api ?? '0.12', ...o.env } });
        assert.match(done.stderr + done.stdout, o.says);
        assert.doesNotMatch(done.stderr, /\n\s+at /);
        return done.code;
      };
      assert.equal(await code('detector', { api: '', says: /CNB_PLATFORM_API is not set/ }), 11);
      assert.equal(await code('detector', { api: '0.99', says: /"0.99": it is not supported/ }), 11);
      assert.equal(await code('detector', { args: ['-system=x'], says: /not defined: -system/ }), 3);
      assert.equal(await code('detector', { asRoot: true, says: /refusing to run as root/ }), 1);
      assert.equal(await code('analyzer', { says: /received 0 arguments/ }), 3);
      assert.equal(await code('analyzer', { args: [`${host}/app`], says: /write access to ".*app"/ }), 32);
      write(w.at('workspace/code'), '100');
      assert.equal(
        await code('detector', { says: /No buildpack groups passed detection[^]*no buildpacks participating/ }),
        20,
      );
      write(w.at('workspace/code'), '2');
      assert.equal(await code('detector', { says: /err: {1,2}test\/fails@1.0.0/ }), 21);
      write(w.at('workspace/code'), '0');
      assert.equal(await code('builder', { says: /there is no file "\/layers\/plan.toml"/ }), 52);
      assert.equal(await code('restorer', { says: /there is no file "\/layers\/group.toml"/ }), 42);
      await phase(w, 'detector', { api: '0.12' });
      assert.equal(await code('builder', { says: /it breaks[^]*exit status 7/ }), 51);
      assert.equal(await code('exporter', { args: [`${host}/app`], env: auth, says: /metadata.toml/ }), 62);
      assert.equal(await code('rebaser', { args: [`${host}/nothing`], env: auth, says: /nothing/ }), 72);
      assert.equal(
        await code('creator', {
          args: ['-daemon', `${host}/app`],
          env: auth,
          says: /no socket of Docker or Podman was found/,
        }),
        62,
      );
      w.order(['test/old']);
      assert.equal(await code('detector', { says: /Buildpack API "0.6" is not supported/ }), 12);
    });

    test('rebaser: the base alone is another one', async () => {
      using w = world(
        [{ id: 'test/one', build: 'printf "[types]\\nlaunch = true\\n" > "$1/x.toml"; mkdir "$1/x"' }],
        'moving',
      );
      await strakeOk('copy', 'run', `docker://${host}/moving`);
      await phase(w, 'creator', { api: '0.12', args: [`${host}/app`], env: auth });
      const context = join(folder, 'newer');
      write(join(context, 'Dockerfile'), 'FROM run\nCOPY new /new\nLABEL io.buildpacks.base.id=newer\n');
      write(join(context, 'new'), 'new');
      await strakeOk('build', '-q', '-t', 'newer', context);
      await strakeOk('copy', 'newer', `docker://${host}/moving`);
      await phase(w, 'rebaser', {
        api: '0.12',
        asRoot: true,
        args: ['-report=/layers/rebased.toml', `${host}/app`],
        env: auth,
      });
      const { rootfs, config } = await shown('app');
      const base = (await shown('moving')).rootfs.diff_ids;
      assert.deepEqual(rootfs.diff_ids.slice(0, base.length), base);
      assert.equal(config.Labels['io.buildpacks.base.id'], 'newer');
      assert.match(w.read('layers/rebased.toml'), /digest = "sha256:/);
    });

    test('OCI layouts instead of a registry', async () => {
      using w = new PhaseWorld({
        buildpacks: [buildpackOf(12)].map((one) => ({ ...one, build: one.build?.replace('|| exit 3', '|| true') })),
        runImage: 'run',
        app: { 'app.txt': 'the app\n' },
      });
      mkdirSync(w.at('cache/index.docker.io/library/run/latest'), { recursive: true });
      await skopeo(
        folder,
        'copy',
        '--src-tls-verify=false',
        '--src-creds=ann:word',
        `docker://${host}/run`,
        `oci:${w.at('cache/index.docker.io/library/run/latest')}:latest`,
      );
      w.own('cache');
      const o = { api: '0.13', args: ['-layout', '-layout-dir=/cache', 'app'], env: { CNB_EXPERIMENTAL_MODE: 'warn' } };
      const first = await phase(w, 'creator', o);
      assert.match(first.stderr, /Warning: Platform requested experimental feature/);
      assert.match(
        w.read('layers/analyzed.toml'),
        /reference = "\/cache\/index.docker.io\/library\/run\/latest@sha256:/,
      );
      const layout = w.at('cache/index.docker.io/library/app/latest');
      const made = JSON.parse(await skopeo(folder, 'inspect', '--config', `oci:${layout}:latest`)) as Shown;
      assert.deepEqual(made.config.Entrypoint, ['/cnb/lifecycle/launcher']);
      again(w);
      const second = await phase(w, 'creator', o);
      assert.match(second.stdout, /Reusing layer 'test\/api-12:tool'/);
      assert.doesNotMatch(second.stdout, /Adding layer/);
      const refused = await w.run('creator', o.args, { env: { CNB_PLATFORM_API: '0.13' } });
      assert.equal(refused.code, 3);
    });

    /** Another container with the same source. */
    function again(w: PhaseWorld): void {
      w.reset('layers');
      rmSync(w.at('workspace/made.txt'));
    }
  },
);
