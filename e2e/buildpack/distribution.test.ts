import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { BASE, emptyStore, storeWithBase, type TestStore } from '../lib/store.ts';
import { ok, strake, type StrakeResult } from '../lib/strake.ts';
import { buildTestBuilder, write, writeBuildpack } from './test-builder.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from '../registry/world.ts';

const skip = lacking('docker-registry', 'skopeo', 'git') ?? false;

/** Files below a folder; what is under `bin/` may be run. */
function files(folder: string, content: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode: path.includes('bin/') ? 0o755 : 0o644 });
  }
  return folder;
}

function buildpack(id: string, more = ''): Record<string, string> {
  return {
    'buildpack.toml': `api = "0.10"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n${more}`,
    'bin/detect': '#!/bin/sh\n',
    'bin/build': `#!/bin/sh\necho ${id}\n`,
  };
}

const META = `api = "0.10"
[buildpack]
id = "acme/meta"
version = "2.0.0"
[[order]]
[[order.group]]
id = "acme/a"
version = "1.0.0"
[[order.group]]
id = "acme/b"
version = "1.0.0"
optional = true
`;

/** The files of a folder on loopback. */
async function serve(folder: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    const path = join(folder, request.url ?? '');
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface World extends AsyncDisposable {
  readonly store: TestStore;
  readonly host: string;
  readonly run: (...args: string[]) => Promise<StrakeResult>;
  readonly skopeo: (...args: string[]) => Promise<string>;
}

/** A registry, a store, and in the registry an image for two platforms to build on. */
async function world(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(scratchFolder()).path;
  const store = stack.use(emptyStore());
  const { host } = stack.use(await dockerRegistry(folder));
  const env = { PACK_HOME: join(store.work, 'pack') };
  const run = (...args: string[]): Promise<StrakeResult> => ok(args, { root: store.root, cwd: store.work, env });
  files(join(store.work, 'build'), {
    Dockerfile: 'FROM scratch\nENV CNB_USER_ID=1000 CNB_GROUP_ID=1000\nCOPY base /etc/base\nUSER 1000:1000\n',
    base: 'base',
  });
  await run('build', '-q', 'build', '--platform', 'linux/amd64,linux/arm64', '-t', `${host}/build`);
  await run('push', '-q', `${host}/build`);
  files(join(store.work, 'a'), buildpack('acme/a'));
  files(join(store.work, 'b'), buildpack('acme/b'));
  files(join(store.work, 'meta'), {
    'buildpack.toml': META,
    'package.toml': '[buildpack]\nuri = "."\n[[dependencies]]\nuri = "../a.cnb"\n[[dependencies]]\nuri = "../b"\n',
  });
  const scope = stack.move();
  return {
    store,
    host,
    run,
    skopeo: (...args) => skopeo(folder, ...args),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

suite('distribution of buildpacks', { skip }, () => {
  test('buildpackage, composite and builder: made, pushed, read by skopeo, pulled, used by another', async () => {
    await using w = await world();
    const { host, run, store } = w;
    // A file twice, from another folder under another umask, by another store: the same bytes.
    await run('buildpack', 'package', 'a.cnb', '--format', 'file', '--path', 'a', '-q');
    using other = emptyStore();
    files(join(other.work, 'elsewhere'), buildpack('acme/a'));
    await ok(['buildpack', 'package', 'again', '--format', 'file', '--path', 'elsewhere', '-q'], {
      root: other.root,
      cwd: other.work,
      umask: '077',
    });
    assert.ok(readFileSync(join(store.work, 'a.cnb')).equals(readFileSync(join(other.work, 'again.cnb'))));
    // The composite takes its parts from that file and from a folder.
    const packaged = await run(
      'buildpack',
      'package',
      `${host}/meta`,
      '-c',
      'meta/package.toml',
      '--publish',
      '-q',
      '-l',
      'team=x',
    );
    const inspected = JSON.parse(await w.skopeo('inspect', '--tls-verify=false', `docker://${host}/meta`)) as {
      Digest: string;
      Created: string;
      Labels: Record<string, string>;
      Layers: string[];
    };
    assert.equal(packaged.stdout, `${host}/meta@${inspected.Digest}\n`);
    assert.equal(inspected.Created, '1980-01-01T00:00:01Z');
    assert.equal(inspected.Labels['team'], 'x');
    assert.equal(inspected.Layers.length, 3);
    assert.deepEqual(Object.keys(JSON.parse(inspected.Labels['io.buildpacks.buildpack.layers'] ?? '') as object), [
      'acme/a',
      'acme/b',
      'acme/meta',
    ]);
    assert.equal(
      inspected.Labels['io.buildpacks.buildpackage.metadata'],
      '{"id":"acme/meta","version":"2.0.0","stacks":[{"id":"*"}]}',
    );
    // What another tool copied is read as well.
    await w.skopeo('copy', '--src-tls-verify=false', `docker://${host}/meta`, `oci:${join(store.work, 'copied')}:x`);
    for (const name of [`${host}/meta`, 'copied']) {
      const { stdout } = await run('buildpack', 'inspect', name, '-o', 'json');
      const { id, buildpacks } = JSON.parse(stdout) as { id: string; buildpacks: { id: string }[] };
      assert.deepEqual([id, buildpacks.map((one) => one.id)], ['acme/meta', ['acme/meta', 'acme/a', 'acme/b']]);
    }
    files(join(store.work, 'tree'), {
      'extension.toml': 'api = "0.9"\n[extension]\nid = "acme/tree"\nversion = "1.0.0"\n',
      'bin/generate': '#!/bin/sh\n',
    });
    await run('extension', 'package', `${host}/tree`, '--path', 'tree', '--publish', '-q');
    const { stdout: extension } = await run('extension', 'inspect', `${host}/tree`);
    assert.match(extension, /Extensions:\n {2}ID .*\n {2}acme\/tree/);
    files(store.work, {
      'builder.toml': `description = "d"
[[buildpacks]]
uri = "docker://${host}/meta"
[[extensions]]
uri = "docker://${host}/tree"
[[order]]
[[order.group]]
id = "acme/meta"
[[order-extensions]]
[[order-extensions.group]]
id = "acme/tree"
[build]
image = "${host}/build"
[[run.images]]
image = "${host}/run"
`,
    });
    // The same builder from the registry alone and through the local store: one digest; layers of the base are not touched.
    const published = await run(
      'builder',
      'create',
      `${host}/builder`,
      '-c',
      'builder.toml',
      '--publish',
      '--progress',
      'plain',
    );
    assert.match(published.stderr, /mounted/);
    await run('builder', 'create', 'here', '-c', 'builder.toml', '-q');
    const pushed = await run('push', '-q', 'here', `${host}/builder:pushed`);
    assert.equal(pushed.stdout.split('@')[1], published.stdout.split('@')[1]);
    const raw = JSON.parse(await w.skopeo('inspect', '--config', '--tls-verify=false', `docker://${host}/builder`)) as {
      config: { WorkingDir: string; User: string; Labels: Record<string, string> };
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual([raw.config.WorkingDir, raw.config.User], ['/layers', '1000:1000']);
    assert.equal(raw.config.Labels['io.buildpacks.buildpack.order'], '[{"group":[{"id":"acme/meta"}]}]');
    // One of the base, folders, lifecycle, three buildpacks, an extension, order, stack, run, environment.
    assert.equal(raw.rootfs.diff_ids.length, 1 + 2 + 3 + 1 + 3 + 1);
    const { stdout: shown } = await run('builder', 'inspect', 'here');
    assert.match(
      shown,
      /LOCAL:\n\nDescription: d\n[\s\S]*└ acme\/meta@2\.0\.0\n {7}└ Group #1:\n {10}├ acme\/a@1\.0\.0\n {10}└ acme\/b@1\.0\.0 \(optional\)/,
    );
    await run('buildpack', 'pull', '-q', `docker://${host}/meta`);
  });

  test('a builder from a registry builds an application elsewhere', async () => {
    await using w = await world();
    const { host, run, store } = w;
    // Images of busybox to build and run in.
    await buildTestBuilder(store, { buildpacks: [] });
    await run('push', '-q', 'run', `${host}/run`);
    write(join(store.work, 'busybox/Dockerfile'), `FROM ${host}/run\nENV CNB_USER_ID=1000 CNB_GROUP_ID=1000\n`);
    await run('build', '-q', 'busybox', '-t', 'busybox');
    for (const name of ['first', 'second'])
      writeBuildpack(join(store.work, name), {
        id: `acme/${name}`,
        detect: '[ -f app.txt ]',
        build: `mkdir -p "$CNB_LAYERS_DIR/said"\necho "${name} was here" > "$CNB_LAYERS_DIR/said/file"\nprintf '[types]\\nlaunch = true\\n' > "$CNB_LAYERS_DIR/said.toml"\nprintf '[[processes]]\\ntype = "web"\\ndefault = true\\ncommand = ["sh", "-c", "cat app.txt /layers/*/said/file"]\\n' > "$CNB_LAYERS_DIR/launch.toml"`,
      });
    files(join(store.work, 'both'), {
      'buildpack.toml': META.replace('acme/a', 'acme/first').replace('acme/b', 'acme/second'),
      'package.toml': '[[dependencies]]\nuri = "../first"\n[[dependencies]]\nuri = "../second"\n',
    });
    await run('buildpack', 'package', `${host}/both`, '--publish', '-q', '-c', 'both/package.toml', '--flatten');
    files(store.work, {
      'builder.toml': `[[buildpacks]]\nuri = "docker://${host}/both"\n[[order]]\n[[order.group]]\nid = "acme/meta"\n[build]\nimage = "busybox"\n[[run.images]]\nimage = "${host}/run"\n`,
    });
    await run('builder', 'create', 'mine', '-c', 'builder.toml', '-q', '--tag', `${host}/mine`);
    await run('push', '-q', `${host}/mine`);
    using other = emptyStore();
    files(join(other.work, 'app'), { 'app.txt': 'an application\n' });
    const elsewhere = { root: other.root, cwd: other.work };
    await ok(['build', '-q', 'app', '--builder', `${host}/mine`, '-t', 'app'], elsewhere);
    const { stdout } = await ok(['run', 'app'], elsewhere);
    assert.equal(stdout, 'an application\nfirst was here\nsecond was here\n');
    // Buildpacks beside the builder's: an archive at an address, an entry of a registry; by the descriptor, a .cnb file.
    writeBuildpack(join(other.work, 'third'), {
      id: 'acme/third',
      build:
        'mkdir -p "$CNB_LAYERS_DIR/said"\necho "third was here" > "$CNB_LAYERS_DIR/said/file"\nprintf "[types]\\nlaunch = true\\n" > "$CNB_LAYERS_DIR/said.toml"',
    });
    await ok(['buildpack', 'package', 'third.cnb', '-f', 'file', '-q', '--path', 'third'], elsewhere);
    await ok(['buildpack', 'package', `${host}/third`, '--publish', '-q', '--path', 'third'], elsewhere);
    execFileSync('tar', ['-czf', 'third.tgz', '-C', 'third', '.'], { cwd: other.work });
    mkdirSync(join(other.work, 'index'));
    const own = { ...elsewhere, env: { PACK_HOME: join(other.work, 'pack') } };
    await ok(['config', 'registries', 'add', 'own', './index', '--type', 'folder'], own);
    await ok(['buildpack', 'register', `${host}/third`, '-r', 'own'], own);
    await using web = await serve(other.work);
    for (const place of [`${web.url}/third.tgz`, 'acme/third@1.0.0']) {
      const args = ['-b', 'acme/meta', '-b', place, '-r', 'own', '--builder', `${host}/mine`, '-t', 'app'];
      await ok(['build', '-q', 'app', ...args], own);
      const { stdout: says } = await ok(['run', 'app'], own);
      assert.equal(says, 'an application\nfirst was here\nsecond was here\nthird was here\n', place);
    }
    // The same by the application's own descriptor; paths are relative to it.
    files(join(other.work, 'app'), {
      'project.toml':
        '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nid = "acme/meta"\n[[io.buildpacks.group]]\nuri = "../third.cnb"\n',
    });
    await ok(['build', '-q', 'app', '--builder', `${host}/mine`, '-t', 'described'], own);
    const { stdout: described } = await ok(['run', 'described'], own);
    assert.equal(described, 'an application\nfirst was here\nsecond was here\nthird was here\n');
  });

  test('a build image made of Debian packages gets the user that builds', async () => {
    using store = await storeWithBase();
    const o = { root: store.root, cwd: store.work };
    files(store.work, buildpack('acme/a'));
    files(store.work, {
      'builder.toml': `[[buildpacks]]\nuri = "."\n[[order]]\n[[order.group]]\nid = "acme/a"\n[build]\nimage = "${BASE}"\n[[run.images]]\nimage = "${BASE}"\n`,
    });
    await ok(['builder', 'create', 'of-packages', '-c', 'builder.toml', '-q'], o);
    const { stdout } = await ok(['inspect', 'of-packages'], o);
    const [image] = JSON.parse(stdout) as { Config: { User: string; Env: string[] } }[];
    assert.equal(image?.Config.User, '1000:1000');
    assert.ok(image?.Config.Env.includes('CNB_USER_ID=1000'));
    const { stdout: said } = await ok(['run', 'of-packages', 'sh', '-c', 'id; ls -ld ~cnb; cat /cnb/order.toml'], o);
    assert.match(said, /^uid=1000\(cnb\) gid=1000\(cnb\)[^\n]*\ndrwxr-xr-x 2 cnb cnb .* \/home\/cnb\n\[\[order\]\]/);
  });

  test("a builder with a release of the lifecycle: downloaded, verified, for the target's platform", async () => {
    await using w = await world();
    const { host, store } = w;
    const toml = (version: string): string =>
      `[apis.buildpack]\nsupported = ["0.10", "0.12"]\n[apis.platform]\nsupported = ["0.12", "0.15"]\n[lifecycle]\nversion = "${version}"\n`;
    const programs = 'analyzer builder creator detector exporter extender launcher lifecycle rebaser restorer'.split(
      ' ',
    );
    const releases = join(store.work, 'releases');
    const made = (version: string, platform: string, inside = version): string => {
      const content = join(store.work, `content-${version}-${platform}`);
      files(content, {
        'lifecycle.toml': toml(inside),
        ...Object.fromEntries(programs.map((name) => [`lifecycle/${name}`, `${name} for ${platform}`])),
      });
      const name = `lifecycle-v${version}+linux.${platform}.tgz`;
      const path = join(releases, `v${version}`, name);
      mkdirSync(dirname(path), { recursive: true });
      execFileSync('tar', ['-czf', path, '-C', content, 'lifecycle.toml', 'lifecycle']);
      return `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${name}\n`;
    };
    const sums = [made('1.2.3', 'x86-64'), made('1.2.3', 'arm64')];
    writeFileSync(join(releases, 'v1.2.3/lifecycle-v1.2.3-checksums.txt'), sums.join(''));
    await using server = await serve(releases);
    const create = (lifecycle: string, ...more: string[]): Promise<StrakeResult> => {
      writeFileSync(
        join(store.work, 'builder.toml'),
        `[[buildpacks]]\nuri = "a"\n[[order]]\n[[order.group]]\nid = "acme/a"\n[build]\nimage = "${host}/build"\n[[run.images]]\nimage = "run"\n[lifecycle]\n${lifecycle}\n`,
      );
      return strake(['builder', 'create', `${host}/with`, '-c', 'builder.toml', '--publish', '-q', ...more], {
        root: store.root,
        cwd: store.work,
        env: { STRAKE_LIFECYCLE_RELEASES: `${server.url}/` },
      });
    };
    const done = await create('version = "1.2.3"', '--target', 'linux/amd64', '--target', 'linux/arm64');
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stderr, '');
    for (const [architecture, platform] of [
      ['amd64', 'x86-64'],
      ['arm64', 'arm64'],
    ] as const) {
      writeFileSync(join(store.work, 'Dockerfile'), `FROM ${host}/with\n`);
      const out = join(store.work, `out-${architecture}`);
      await w.run('build', '-q', '--platform', `linux/${architecture}`, '-o', `type=local,dest=${out}`, '.');
      assert.equal(readFileSync(join(out, 'cnb/lifecycle/creator'), 'utf8'), `creator for ${platform}`);
    }
    const inspected = await w.skopeo(
      'inspect',
      '--config',
      '--tls-verify=false',
      '--override-arch=arm64',
      `docker://${host}/with`,
    );
    const { config } = JSON.parse(inspected) as { config: { Labels: Record<string, string> } };
    assert.match(config.Labels['io.buildpacks.builder.metadata'] ?? '', /"lifecycle":\{"version":"1\.2\.3"/);
    assert.match(config.Labels['io.buildpacks.lifecycle.apis'] ?? '', /"supported":\["0\.12","0\.15"\]/);
    // Changed on its way; another than asked for; without a checksum.
    const other = (digit: string): string => (digit === 'e' ? 'f' : 'e');
    writeFileSync(join(releases, 'v1.2.3/lifecycle-v1.2.3-checksums.txt'), sums.join('').replace(/^./gm, other));
    const changed = await create('version = "1.2.3"');
    assert.notEqual(changed.code, 0);
    assert.match(changed.stderr, /its digest is sha256:[0-9a-f]+, not sha256:[ef]/);
    made('1.2.5', 'x86-64', '1.2.6');
    made('1.2.5', 'arm64', '1.2.6');
    const another = await create('version = "1.2.5"');
    assert.match(another.stderr, /cannot be verified[^]*it is version 1\.2\.6, not 1\.2\.5/);
    const missing = await create('version = "9.9.9"');
    assert.match(missing.stderr, /lifecycle-v9\.9\.9\+linux\.[\w-]+\.tgz": status 404/);
    const [sum = ''] = sums[0]!.split(' ');
    const url = `${server.url}/v1.2.3/lifecycle-v1.2.3+linux.x86-64.tgz`;
    assert.equal((await create(`uri = "${url}#sha256=${sum}"`)).code, 0);
    assert.match((await create(`uri = "${url}#sha256=${sum.replace(/./g, '0')}"`)).stderr, /not sha256:0000/);
  });

  test('several targets: an index of packages, one of builders, each with its own files', async () => {
    await using w = await world();
    const { host, run, store } = w;
    files(join(store.work, 'multi'), {
      'buildpack.toml': `api = "0.10"\n[buildpack]\nid = "acme/multi"\nversion = "1.0.0"\n[[targets]]\nos = "linux"\narch = "amd64"\n[[targets]]\nos = "linux"\narch = "arm64"\n`,
      'linux/amd64/bin/build': 'amd64',
      'linux/arm64/bin/build': 'arm64',
    });
    await run(
      'buildpack',
      'package',
      `${host}/multi`,
      '--path',
      'multi',
      '--publish',
      '-q',
      '--append-image-name-suffix',
    );
    interface Index {
      manifests: { digest: string; platform: { os: string; architecture: string } }[];
    }
    const indexOf = async (name: string): Promise<Index> =>
      JSON.parse(await w.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${host}/${name}`)) as Index;
    assert.deepEqual(
      (await indexOf('multi')).manifests.map(({ platform }) => platform.architecture),
      ['amd64', 'arm64'],
    );
    const tags = JSON.parse(await w.skopeo('list-tags', '--tls-verify=false', `docker://${host}/multi`)) as {
      Tags: string[];
    };
    assert.deepEqual(tags.Tags.toSorted(), ['latest', 'latest-linux-amd64', 'latest-linux-arm64']);
    files(store.work, {
      'builder.toml': `[[buildpacks]]\nuri = "docker://${host}/multi"\n[[order]]\n[[order.group]]\nid = "acme/multi"\n[build]\nimage = "${host}/build"\n[[run.images]]\nimage = "run"\n[[targets]]\nos = "linux"\narch = "amd64"\n[[targets]]\nos = "linux"\narch = "arm64"\n`,
    });
    const created = await run('builder', 'create', `${host}/builder`, '-c', 'builder.toml', '--publish', '-q');
    // Its own programs run on this machine's platform.
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64';
    assert.match(created.stderr, new RegExp(`^warning: the builder for linux/${other} is for strake alone`));
    const { manifests } = await indexOf('builder');
    assert.deepEqual(
      manifests.map(({ platform }) => platform.architecture),
      ['amd64', 'arm64'],
    );
    const layers = new Set<string>();
    for (const { digest } of manifests) {
      const config = JSON.parse(
        await w.skopeo('inspect', '--config', '--tls-verify=false', `docker://${host}/builder@${digest}`),
      ) as { config: { Labels: Record<string, string> } };
      layers.add(config.config.Labels['io.buildpacks.buildpack.layers'] ?? '');
    }
    assert.equal(layers.size, 2);
    // An index made by hand of the two builders is the same.
    await run('manifest', 'create', `${host}/by-hand`, `${host}/builder`);
    const { stdout } = await run('manifest', 'push', '-q', '--purge', `${host}/by-hand`);
    assert.deepEqual((await indexOf('by-hand')).manifests, manifests);
    assert.match(stdout, /by-hand@sha256:/);
    // Entries are added, changed, taken out.
    await run('manifest', 'create', 'list', `${host}/builder`);
    await run('manifest', 'add', 'list', `${host}/multi`);
    const arm = manifests[1]?.digest ?? '';
    await run('manifest', 'annotate', 'list', `${host}/builder@${arm}`, '--variant', 'v8', '--annotations', 'a=b');
    await run('manifest', 'rm', 'list', `${host}/multi`);
    const kept = JSON.parse((await run('manifest', 'inspect', 'list')).stdout) as Index;
    assert.deepEqual(kept.manifests, [
      manifests[0],
      { ...manifests[1], annotations: { a: 'b' }, platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
    ]);
    await run('manifest', 'remove', 'list');
  });

  test('a registry of buildpacks, as a folder and as a git repository: registered, used, yanked', async () => {
    await using w = await world();
    const { host, run, store } = w;
    const git = (...args: string[]): void =>
      void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
        cwd: store.work,
        stdio: 'pipe',
      });
    git('init', '--quiet', '--bare', 'index.git');
    git('clone', '--quiet', 'index.git', 'seed');
    files(join(store.work, 'seed'), { README: 'index' });
    git('-C', 'seed', 'add', '.');
    git('-C', 'seed', 'commit', '--quiet', '-m', 'begin');
    git('-C', 'seed', 'push', '--quiet', 'origin', 'HEAD');
    mkdirSync(join(store.work, 'folder'));
    await run('config', 'registries', 'add', 'in-git', `file://${join(store.work, 'index.git')}`, '--type', 'git');
    await run('config', 'registries', 'add', 'in-folder', './folder', '--type', 'folder');
    await run('buildpack', 'package', `${host}/a`, '--path', 'a', '--publish', '-q');
    const tell = { root: store.root, cwd: store.work, env: { PACK_HOME: join(store.work, 'pack') } };
    for (const registry of ['in-git', 'in-folder']) {
      await run('buildpack', 'register', `${host}/a`, '-r', registry);
      const twice = await strake(['buildpack', 'register', `${host}/a`, '-r', registry], tell);
      assert.match(twice.stderr, /has this version already/);
      const { stdout } = await run('buildpack', 'inspect', 'urn:cnb:registry:acme/a', '-r', registry, '-o', 'toml');
      assert.match(stdout, /^id = "acme\/a"\nversion = "1\.0\.0"\n/);
      files(join(store.work, registry), {
        'buildpack.toml': META.replace(/\[\[order\.group\]\]\nid = "acme\/b"[\s\S]*/, ''),
        'package.toml': '[[dependencies]]\nuri = "urn:cnb:registry:acme/a@1.0.0"\n',
      });
      await run(
        'buildpack',
        'package',
        `${registry}.cnb`,
        '-f',
        'file',
        '-q',
        '-r',
        registry,
        '-c',
        `${registry}/package.toml`,
      );
      const { stdout: listed } = await run('buildpack', 'search', 'acm', '-r', registry, '--format', 'json');
      assert.deepEqual(
        (JSON.parse(listed) as { id: string }[]).map(({ id }) => id),
        ['acme/a'],
      );
      await run('buildpack', 'yank', 'acme/a@1.0.0', '-r', registry);
      const gone = await strake(['buildpack', 'pull', 'acme/a', '-r', registry], tell);
      assert.match(gone.stderr, /There is 1\.0\.0 \(yanked\)/);
      await run('buildpack', 'yank', '--undo', 'acme/a@1.0.0', '-r', registry);
      const { stdout: pulled } = await run('buildpack', 'pull', '-q', 'acme/a', '-r', registry);
      assert.match(pulled, new RegExp(`^${host}/a@sha256:[0-9a-f]{64}\n$`));
    }
    git('clone', '--quiet', 'index.git', 'result');
    assert.match(
      readFileSync(join(store.work, 'result/1/acme_a'), 'utf8'),
      /^\{"ns":"acme","name":"a","version":"1\.0\.0","yanked":false,"addr":"[^"]+@sha256:[0-9a-f]{64}"\}\n$/,
    );
  });
});
