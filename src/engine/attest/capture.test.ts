import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceState, type Source, type SourceOp, type State } from '../../graph/index.ts';
import type { Asked } from '../frontend-host.ts';
import { capture } from './capture.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;
const label = { name: 'x' };

function askedFor(solved: readonly State[], images: readonly (readonly [asked: string, pinned: string])[]): Asked {
  const resolved = images.map(([reference, pinned]) => {
    const source = { type: 'image', reference, platform, pull: 'missing' } as const;
    const found = {
      source: { kind: 'source', source: { ...source, reference: pinned } } as SourceOp,
      digest: digest('a'),
    };
    return [JSON.stringify({ kind: 'source', source }), Promise.resolve(found)] as const;
  });
  return {
    refs: new Map(),
    resolved: new Map(resolved),
    texts: new Map(),
    solved: [...solved],
    containers: new Set(),
    ending: new AbortController(),
    tasks: 0,
  };
}

test('a build is made from what its graph and its frontend name, each once, pinned, without logins', async () => {
  const of = (source: Source): State => sourceState(source, label);
  const pinned = `r.example/base:1@${digest('a')}`;
  const inputs = [
    of({ type: 'git', url: 'https://joe:pw@git.example/x.git', ref: 'main', commit: '1'.repeat(40) }),
    of({ type: 'git', url: 'ssh://git@git.example/y.git', auth: {}, agent: 'keys', commit: '2'.repeat(64) }),
    of({ type: 'http', url: 'https://web.example/b', checksum: digest('b') }),
    of({ type: 'http', url: 'https://web.example/a' }),
    of({ type: 'local', name: './app' }),
    of({ type: 'local', name: 'other' }),
    of({ type: 'oci-layout', store: '/a/folder/layout-1', digest: digest('c'), platform }),
    of({ type: 'packages', reference: 'packages.local/debian:bookworm', platform, lock: digest('d') }),
  ];
  const common = { env: [], cwd: '/', user: '', security: 'sandbox', platform } as const;
  const owner = { mode: 0o400, uid: 0, gid: 0 };
  const root = of({ type: 'image', reference: pinned, platform, pull: 'missing' })
    .file([], inputs, label)
    .exec(
      {
        ...common,
        kind: 'exec',
        args: ['x'],
        network: 'none',
        mounts: [
          { type: 'secret', id: 's', target: '/s', required: false, ...owner },
          { type: 'ssh', id: 'keys', target: '/k', required: true, ...owner },
        ],
      } as never,
      [],
      label,
    );
  const asked = askedFor([of({ type: 'local', name: './app (Dockerfile)' })], [['r.example/base:1', pinned]]);
  const found = await capture([root], {
    asked,
    options: { contextkey: './app', dockerfilekey: './app (Dockerfile)' },
    platform: 'linux/amd64',
    pin: async (op) => ({ ...op, source: { ...op.source, checksum: digest('e') } as Source }),
  });
  assert.deepEqual(found.sources, {
    images: [
      { name: 'layout-1', platform, digest: digest('c'), local: true },
      { name: 'packages.local/debian:bookworm', platform, digest: digest('d') },
      { name: 'r.example/base:1', platform, digest: digest('a') },
    ],
    git: [
      { url: found.sources.git[0]?.url, commit: '1'.repeat(40) },
      { url: found.sources.git[1]?.url, commit: '2'.repeat(64) },
    ],
    http: [
      { url: 'https://web.example/a', digest: digest('e') },
      { url: 'https://web.example/b', digest: digest('b') },
    ],
    local: ['context', 'dockerfile', 'other'],
  });
  assert.match(found.sources.git[0]?.url ?? '', /^https:\/\/(?!.*pw).*git\.example\/x\.git#main$/);
  assert.deepEqual(found.secrets, [
    { id: 'GIT_AUTH_HEADER', optional: true },
    { id: 'GIT_AUTH_TOKEN', optional: true },
    { id: 's', optional: true },
  ]);
  assert.deepEqual(found.ssh, [{ id: 'keys', optional: false }]);
  assert.equal(found.networked, false);
});
