import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { amd64, planText } from '../../src/frontend/dockerfile/fake-host.suite.ts';
import { decodeDefinition, encodeState } from '../../src/wire/buildkit/index.ts';
import { Daemon } from '../serve/client.ts';
import { onDocker, onServer, onStrake, type Solver } from './llb/builders.ts';
import { DEFINITIONS } from './llb/definitions.ts';
import { openWorld, type World } from './llb/world.ts';

/** A Docker daemon whose BuildKit solves them as well; with STRAKE_UPDATE_GOLDEN=1 what it says is recorded. */
const docker = process.env['STRAKE_DOCKER_SOCKET'];
/** By a daemon of strake's, too. */
const full = process.env['STRAKE_TEST_FULL'] === '1';
const recording = process.env['STRAKE_UPDATE_GOLDEN'] === '1';
const file = join(import.meta.dirname, 'llb/testdata/golden.json');

describe('definitions with each op and each field give the same files on strake and on BuildKit', () => {
  let world: World;
  let strake: Solver;
  let peer: Solver | undefined;
  let daemon: Daemon | undefined;
  let served: Solver | undefined;
  const golden = JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly string[]>;
  before(async () => {
    world = await openWorld({ push: docker !== undefined });
    strake = await onStrake(world);
    if (full) {
      const folder = join(world.work, 'daemon');
      mkdirSync(folder);
      symlinkSync(world.root, join(folder, 'store'));
      const granted = ['network.host', 'security.insecure'].map((name) => `--allow-insecure-entitlement=${name}`);
      daemon = await Daemon.start(folder, granted);
      served = await onServer(world, await daemon.connect());
    }
    peer = docker === undefined ? undefined : await onDocker(world, docker);
  });
  after(async () => {
    await served?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
    await peer?.[Symbol.asyncDispose]();
    await strake[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    if (recording) writeFileSync(file, `${JSON.stringify(golden, undefined, 2)}\n`);
  });
  for (const [name, { make, allow = [], elsewhere }] of Object.entries(DEFINITIONS))
    test(name, async () => {
      const definition = make(world);
      if (peer && elsewhere === undefined) {
        const there = await peer.solve(definition, allow);
        if (recording) golden[name] = there;
        else assert.deepEqual(there, golden[name], 'BuildKit does as it did');
      }
      const here = await strake.solve(definition, allow);
      if (recording && elsewhere !== undefined) golden[name] ??= here;
      assert.deepEqual(here, golden[name]);
      if (served) assert.deepEqual(await served.solve(definition, allow), golden[name], 'by a daemon');
    });
});

describe('the graphs of Dockerfiles, written as definitions and read again', () => {
  const same: Readonly<Record<string, string>> = {
    RUN: `USER app
RUN --mount=type=cache,target=/c,uid=5,mode=0700,sharing=locked --mount=type=secret,id=x,target=/y --mount=type=ssh --mount=type=tmpfs,target=/t,size=5m x
RUN --mount=type=bind,target=/src,source=a --mount=type=bind,from=debian,target=/b,rw --network=none true
RUN <<EOF
#!/bin/sh
echo
EOF`,
    COPY: `COPY --from=debian /a /b
COPY --chown=app:grp --chmod=0755 a b* c/ /d/
COPY --chmod=u+x --exclude=*.md a /e
COPY --parents a/./b/c d/**/e /p/
ADD a.tar https://example.com/f.txt https://github.com/a/b.git#v1:sub /x/`,
    scratch: 'FROM scratch\nCOPY a /\nCOPY --from=debian /bin /bin\nWORKDIR /w',
  };
  const options = {
    'shm-size': '1048576',
    hostname: 'h',
    'add-hosts': 'a=1.2.3.4',
    ulimit: 'nofile=1:2',
    memory: '5000000',
  };
  for (const [name, text] of Object.entries(same))
    test(name, async () => {
      const { image } = await planText(`FROM debian\n${text}`, {
        options: { ...options, 'build-arg:HTTP_PROXY': 'http://p' },
      });
      const { root } = await decodeDefinition(encodeState(image.root).definition, { platform: amd64 });
      assert.equal(root.edge?.vertex.digest, image.root.edge?.vertex.digest);
    });
});
