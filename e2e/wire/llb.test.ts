import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onDocker, onStrake, type Solver } from './llb/builders.ts';
import { DEFINITIONS } from './llb/definitions.ts';
import { openWorld, type World } from './llb/world.ts';

/** A Docker daemon whose BuildKit solves them as well; with STRAKE_UPDATE_GOLDEN=1 what it says is recorded. */
const docker = process.env['STRAKE_DOCKER_SOCKET'];
const recording = process.env['STRAKE_UPDATE_GOLDEN'] === '1';
const file = join(import.meta.dirname, 'llb/testdata/golden.json');

describe('definitions with each op and each field give the same files on strake and on BuildKit', () => {
  let world: World;
  let strake: Solver;
  let peer: Solver | undefined;
  const golden = JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly string[]>;
  before(async () => {
    world = await openWorld({ push: docker !== undefined });
    strake = await onStrake(world);
    peer = docker === undefined ? undefined : await onDocker(world, docker);
  });
  after(async () => {
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
    });
});
