import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../base/index.ts';
import { digestOf, type Digest, type Platform } from '../../blob/index.ts';
import type { Builder, BuildEvent, BuildRequest, ImageMetadata } from '../../engine/index.ts';
import { formatPlatform } from '../../image/index.ts';
import { severalBuilders, type JoinedIndex, type NodeBuilder } from './several-builders.ts';

const AMD: Platform = { os: 'linux', architecture: 'amd64' };
const ARM: Platform = { os: 'linux', architecture: 'arm64' };
const clock = { now: () => 7 };

type Request = BuildRequest & ImageMetadata;

function node(name: string, platforms: readonly Platform[], built: Request[], error?: Error): NodeBuilder {
  const builder: Builder = {
    async *build(request) {
      built.push(request);
      yield { kind: 'vertex', id: 'v', name: '[1/1] COPY', inputs: ['w'] };
      if (error) throw error;
      const digest = digestOf(name);
      const descriptor = { mediaType: 'm', digest, size: 1 };
      yield {
        kind: 'result',
        at: 1,
        result: {
          metadata: {},
          images: request.platforms.map((platform) => ({
            platform,
            imageId: digest,
            manifests: [{ export: 0, descriptor, names: [] }],
          })),
        },
      };
    },
  };
  return { name, builder, platforms, connection: undefined as never };
}

function asked(platforms: readonly Platform[], exports: Request['exports']): Request {
  return { frontend: 'dockerfile', options: {}, platforms, exports, allow: [], annotations: [] };
}

const PUSHED: Request['exports'] = [{ type: 'registry', names: ['r.example/a:1'] }];

async function run(builder: Builder, request: Request): Promise<BuildEvent[]> {
  return Array.fromAsync(builder.build(request, undefined as never));
}

test('each node builds its own platforms, what they push becomes one index', async () => {
  const one: Request[] = [];
  const two: Request[] = [];
  const joined: JoinedIndex[] = [];
  const index = { mediaType: 'i', digest: digestOf('index'), size: 2 };
  const builder = severalBuilders([node('amd', [AMD, ARM], one), node('arm', [ARM], two)], {
    clock,
    join: async (found) => {
      joined.push(found);
      return index;
    },
  });
  const events = await run(builder, asked([AMD, ARM], PUSHED));
  const told = (requests: readonly Request[]): unknown[] =>
    requests.map(({ platforms, options, exports }) => [
      platforms.map((platform) => formatPlatform(platform)),
      options['platform'],
      (exports[0] as { byDigest?: boolean }).byDigest,
    ]);
  assert.deepEqual(
    [told(one), told(two)],
    [[[['linux/amd64'], 'linux/amd64', true]], [[['linux/arm64'], 'linux/arm64', true]]],
  );
  assert.deepEqual(
    joined.flatMap(({ members }) => members.map((member) => [member.node, member.descriptor.digest])),
    [
      ['amd', digestOf('amd')],
      ['arm', digestOf('arm')],
    ] satisfies [string, Digest][],
  );
  const vertices = events.flatMap((event) =>
    event.kind === 'vertex' ? [[event.id, event.name, event.inputs[0]]] : [],
  );
  assert.deepEqual(vertices, [
    ['amd v', '[amd 1/1] COPY', 'amd w'],
    ['arm v', '[arm 1/1] COPY', 'arm w'],
  ]);
  const last = events.at(-1);
  assert.ok(last?.kind === 'result');
  assert.deepEqual(
    last.result.images.map(({ platform, manifests }) => [formatPlatform(platform), manifests[0]?.descriptor]),
    [
      ['linux/amd64', index],
      ['linux/arm64', index],
    ],
  );
});

test('one platform goes to one node; what no node builds for, and other outputs, are refused', async () => {
  const one: Request[] = [];
  const two: Request[] = [];
  const join = async (): Promise<never> => assert.fail('nothing is joined');
  const builder = severalBuilders([node('amd', [AMD], one), node('arm', [ARM], two)], { clock, join });
  await run(builder, asked([ARM], [{ type: 'store', names: [] }]));
  assert.deepEqual([one.length, two.length], [0, 1]);
  const riscv = { os: 'linux', architecture: 'riscv64' };
  await assert.rejects(run(builder, asked([riscv], PUSHED)), { code: 'REMOTE_NO_NODE' });
  await assert.rejects(run(builder, asked([AMD, ARM], [{ type: 'store', names: [] }])), { code: 'REMOTE_UNSUPPORTED' });
});

test('a failure is told with the name of its node', async () => {
  const error = new CodedError({ code: 'STEP_FAILED', kind: 'failed', message: 'process "x"', remedy: 'r' });
  const builder = severalBuilders([node('amd', [AMD], []), node('arm', [ARM], [], error)], {
    clock,
    join: async () => assert.fail('nothing is joined'),
  });
  await assert.rejects(run(builder, asked([AMD, ARM], PUSHED)), {
    code: 'STEP_FAILED',
    message: 'node "arm": process "x"',
  });
});
