import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { findDockerfile } from './dockerfile-place.ts';
import { planBuild, type BuildFlags, type Planned } from './flags.ts';

const NONE: BuildFlags = {
  tag: [],
  buildArg: [],
  buildContext: [],
  platform: [],
  cache: true,
  cacheFilter: [],
  cacheFrom: [],
  cacheTo: [],
  label: [],
  annotation: [],
  secret: [],
  ssh: [],
  network: 'default',
  addHost: [],
  output: [],
  allow: [],
  ulimit: [],
};

suite('flags of build', () => {
  const plan = (flags: Partial<BuildFlags>, env: Record<string, string> = {}): Planned['request'] =>
    planBuild({ ...NONE, ...flags }, { env, cwd: '/', stdoutIsTerminal: false, insecure: [] }).request;

  test("go to the frontend by BuildKit's names", () => {
    const { options, allow, platforms } = plan(
      {
        target: 'test',
        buildArg: ['A=1', 'HOME', 'GONE'],
        label: ['l=1', 'empty'],
        pull: true,
        network: 'host',
        addHost: ['db:10.0.0.1', 'b=::1'],
        shmSize: '64m',
        ulimit: ['nofile=1024:2048', 'nproc=5'],
        memory: '1.5g',
        memorySwap: '-1',
        cpuShares: '512',
        cpuPeriod: '100000',
        cpuQuota: '5000',
        cpusetCpus: '0-1',
        cpusetMems: '0',
        platform: ['linux/arm64'],
        allow: ['security.insecure'],
      },
      { HOME: '/root' },
    );
    assert.deepEqual(options, {
      'build-arg:A': '1',
      'build-arg:HOME': '/root',
      'label:l': '1',
      'label:empty': '',
      target: 'test',
      'image-resolve-mode': 'pull',
      'force-network-mode': 'host',
      'add-hosts': 'db=10.0.0.1,b=::1',
      'shm-size': '67108864',
      ulimit: 'nofile=1024:2048,nproc=5',
      memory: '1610612736',
      memswap: '-1',
      cpushares: '512',
      cpuperiod: '100000',
      cpuquota: '5000',
      cpusetcpus: '0-1',
      cpusetmems: '0',
      platform: 'linux/arm64',
    });
    assert.deepEqual(allow, ['network.host', 'security.insecure']);
    assert.deepEqual(platforms, [{ os: 'linux', architecture: 'arm64' }]);
  });

  test('nothing given is nothing asked', () => {
    assert.deepEqual(plan({}).options, {});
    assert.deepEqual(plan({}, { HTTP_PROXY: 'http://p' }).options, {});
  });

  test('the cache', () => {
    assert.equal(plan({ cache: false }).options['no-cache'], '');
    assert.equal(plan({ cacheFilter: ['a,b', 'c'] }).options['no-cache'], 'a,b,c');
  });

  test('SOURCE_DATE_EPOCH: the flag wins, empty is unset', () => {
    const epoch = (buildArg: string[], env: Record<string, string>): [number | undefined, string | undefined] => {
      const { epoch: found, options } = plan({ buildArg }, env);
      return [found, options['build-arg:SOURCE_DATE_EPOCH']];
    };
    assert.deepEqual(epoch([], { SOURCE_DATE_EPOCH: '7' }), [7, '7']);
    assert.deepEqual(epoch(['SOURCE_DATE_EPOCH=9'], { SOURCE_DATE_EPOCH: '7' }), [9, '9']);
    assert.deepEqual(epoch(['SOURCE_DATE_EPOCH='], { SOURCE_DATE_EPOCH: '7' }), [undefined, undefined]);
    assert.deepEqual(epoch(['SOURCE_DATE_EPOCH'], { SOURCE_DATE_EPOCH: '7' }), [7, '7']);
    assert.deepEqual(epoch([], { SOURCE_DATE_EPOCH: '' }), [undefined, undefined]);
    assert.deepEqual(epoch([], { SOURCE_DATE_EPOCH: 'context' }), [undefined, 'context']);
    assert.equal(plan({ output: ['type=oci,dest=x,rewrite-timestamp=false'] }, {}).rewriteTimestamp, false);
  });

  test('what cannot be meant', () => {
    assert.throws(() => plan({ allow: ['everything'] }), /there is no such entitlement/);
    assert.throws(() => plan({ platform: ['linux/'] }), /read platform/);
    assert.throws(() => plan({ tag: ['A:b'] }), /read image name/);
    assert.throws(() => plan({ shmSize: 'big' }), /it is not a size/);
  });
});

suite('finding the Dockerfile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-dockerfile-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const made = (name: string, ...files: string[]): string => {
    const path = join(folder, name);
    mkdirSync(path);
    for (const file of files) writeFileSync(join(path, file), 'FROM scratch\n');
    return path;
  };
  const remedy = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (hasCode(error, 'DOCKERFILE_MISSING')) return error.remedy ?? '';
    }
    return assert.fail('nothing was missing');
  };

  test("Docker's name, its lower case, Podman's", () => {
    assert.equal(findDockerfile(made('a', 'Dockerfile', 'Containerfile'), undefined).name, 'Dockerfile');
    assert.equal(findDockerfile(made('b', 'dockerfile'), undefined).name, 'dockerfile');
    assert.equal(findDockerfile(made('c', 'Containerfile'), undefined).name, 'Containerfile');
  });

  test('what is near is named', () => {
    assert.match(
      remedy(() => findDockerfile(made('d', 'Dockefile'), undefined)),
      /Is it "Dockefile"\?/,
    );
    assert.match(
      remedy(() => findDockerfile(made('e', 'Dockerfile.dev', 'x'), undefined)),
      /Is it "Dockerfile.dev"\?/,
    );
    assert.match(
      remedy(() => findDockerfile(made('f', 'README'), undefined)),
      /Write one/,
    );
    const path = made('g', 'Dockerfile.prod');
    assert.match(
      remedy(() => findDockerfile(path, join(path, 'Dockerfile.prd'))),
      /Is it "Dockerfile.prod"\?/,
    );
    assert.match(
      remedy(() => findDockerfile(path, path)),
      /Name the file in it/,
    );
  });
});
