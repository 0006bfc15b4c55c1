import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { CodedError } from '../../../base/index.ts';
import { makeImage, type Image } from '../../../image/index.ts';
import type { Io } from '../io.ts';
import { styleFor } from '../print/style.ts';
import type { CliContext } from '../command.ts';
import { openSources, pullPolicyOf, type PullPolicy } from './sources.ts';

/** A command in a home of its own, and what it says. */
function context(home: string): CliContext & { readonly said: string[] } {
  const said: string[] = [];
  const screen: Io['stdout'] = {
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write: (text) => void said.push(text),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  };
  return {
    said,
    settings: { root: home, project: home, insecure: [] },
    signal: new AbortController().signal,
    io: {
      env: {},
      cwd: home,
      home,
      stdin: Readable.from([]),
      stdout: screen,
      stderr: screen,
      outStyle: styleFor(false),
      errStyle: styleFor(false),
      clock: { now: () => 0 },
      random: { hex: (bytes) => '0'.repeat(bytes * 2) },
    },
  };
}

const IMAGE: Image = makeImage({
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
  layers: [],
  mediaTypes: 'oci',
});

test('where an image comes from, by the policy', async () => {
  const table: readonly (readonly [
    PullPolicy,
    here: boolean,
    there: boolean,
    remote: boolean,
    expected: readonly string[],
  ])[] = [
    ['if-not-present', true, true, false, ['store:a']],
    ['if-not-present', false, true, false, ['docker://a']],
    ['always', true, true, false, ['docker://a']],
    ['always', true, false, false, ['docker://a', 'warned', 'store:a']],
    ['always', false, false, false, ['docker://a', 'failed']],
    ['never', true, true, false, ['store:a']],
    ['never', false, true, false, ['store:a', 'failed']],
    ['if-not-present', true, true, true, ['docker://a']],
    ['never', true, false, true, ['docker://a', 'failed']],
  ];
  for (const [policy, here, there, remote, expected] of table) {
    const seen: string[] = [];
    const c = context('/nowhere');
    const shop = {
      scratch: '/nowhere',
      has: (): boolean => here,
      open: async (from: string): Promise<Image> => {
        seen.push(...c.said.splice(0).map(() => 'warned'), from);
        if (from.startsWith('store:') ? here : there) return IMAGE;
        throw new CodedError({ code: 'GONE', kind: 'not_found', message: 'it is gone' });
      },
    };
    await openSources(c, { shop, policy, remote })
      .image('a')
      .catch(() => seen.push('failed'));
    assert.deepEqual(seen, expected, `${policy} ${here} ${there} ${remote}`);
  }
});

test('a file of the web: redirects are followed, another status than 200 is an error', async () => {
  const home = mkdtempSync(join(tmpdir(), 'strake-sources-'));
  const server = createServer((request, response) => {
    const redirect = { '/moved': '/file', '/loop': '/loop' }[request.url ?? ''];
    if (redirect !== undefined) response.writeHead(302, { location: redirect }).end();
    else if (request.url === '/file') response.end('content');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const shop = { scratch: home, has: (): boolean => false, open: async (): Promise<Image> => IMAGE };
    const sources = openSources(context(home), { shop, policy: 'if-not-present' });
    assert.equal(readFileSync(await sources.download(`${url}/moved`), 'utf8'), 'content');
    await assert.rejects(sources.download(`${url}/gone`), /status 404/);
    await assert.rejects(sources.download(`${url}/loop`), /more than 10 redirects/);
    assert.throws(() => pullPolicyOf('sometimes', context(home)), /there is no such value/);
    assert.equal(pullPolicyOf(undefined, context(home)), 'if-not-present');
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(home, { recursive: true });
  }
});
