import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { collect, hasCode, HttpClient, systemRandom, tempFolder } from '../base/index.ts';
import { fetchFrom, isThere } from './mirror.ts';

const CONTENT = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));

async function served(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  use: (url: string, http: HttpClient) => Promise<void>,
): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  await using http = new HttpClient();
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, http);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const read = async (content: Promise<AsyncIterable<Uint8Array> | undefined>): Promise<Uint8Array | undefined> => {
  const found = await content;
  return found && collect(found);
};

test('redirects are followed, also from host to host', async () => {
  await served(
    (request, response) => {
      if (request.url === '/end') response.end(CONTENT);
      else response.writeHead(302, { location: request.url === '/start' ? 'next' : '/end' }).end();
    },
    async (url, http) => assert.deepEqual(await read(fetchFrom(`${url}/start`, { http })), CONTENT),
  );
});

test('a circle of redirects ends', async () => {
  await served(
    (_, response) => void response.writeHead(301, { location: '/again' }).end(),
    async (url, http) => assert.rejects(fetchFrom(`${url}/x`, { http }), (error) => hasCode(error, 'MIRROR_FAILED')),
  );
});

test('a broken connection goes on where it stopped', async () => {
  const asked: (string | undefined)[] = [];
  await served(
    (request, response) => {
      const { range } = request.headers;
      asked.push(range);
      const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
      const to = asked.length < 4 ? from + 20_000 : CONTENT.length;
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': CONTENT.length - from,
        ...(from > 0 ? { 'content-range': `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` } : {}),
      });
      response.write(CONTENT.subarray(from, to), () =>
        to < CONTENT.length ? request.socket.destroy() : response.end(),
      );
    },
    async (url, http) => {
      assert.deepEqual(await read(fetchFrom(`${url}/x`, { http, retryDelay: 1 })), CONTENT);
      assert.equal(asked.length, 4);
      assert.equal(asked[0], undefined);
      assert.match(asked[3] ?? '', /^bytes=\d+-$/);
    },
  );
});

test('a server without ranges gives the whole again', async () => {
  let count = 0;
  await served(
    (request, response) => {
      count += 1;
      response.writeHead(200, { 'content-length': CONTENT.length });
      const to = count === 1 ? 30_000 : CONTENT.length;
      response.write(CONTENT.subarray(0, to), () => (to < CONTENT.length ? request.socket.destroy() : response.end()));
    },
    async (url, http) => assert.deepEqual(await read(fetchFrom(`${url}/x`, { http, retryDelay: 1 })), CONTENT),
  );
});

test('busy servers are asked again, missing things are not there, the rest is an error', async () => {
  let busy = 2;
  await served(
    (request, response) => {
      if (request.url === '/busy') response.writeHead(busy-- > 0 ? 503 : 200).end('yes');
      else response.writeHead(request.url === '/gone' ? 404 : request.url === '/secret' ? 401 : 500).end();
    },
    async (url, http) => {
      const o = { http, retryDelay: 1 };
      assert.equal(Buffer.from((await read(fetchFrom(`${url}/busy`, o))) ?? []).toString(), 'yes');
      assert.equal(await fetchFrom(`${url}/gone`, o), undefined);
      assert.equal(await isThere(`${url}/gone`, o), false);
      await assert.rejects(
        fetchFrom(`${url}/secret`, o),
        (error) => hasCode(error, 'MIRROR_FAILED') && /auth/.test(error.remedy ?? ''),
      );
      await assert.rejects(fetchFrom(`${url}/broken`, o), (error) => hasCode(error, 'MIRROR_FAILED'));
    },
  );
});

test('nobody there', async () => {
  let port = 0;
  await served(
    () => undefined,
    async (url) => {
      port = Number(new URL(url).port);
    },
  );
  await using http = new HttpClient();
  await assert.rejects(
    fetchFrom(`http://127.0.0.1:${port}/x`, { http, retryDelay: 1 }),
    (error) => hasCode(error, 'MIRROR_UNREACHABLE') && error.kind === 'unavailable',
  );
});

test('logins go to their mirror and nowhere else', async () => {
  const seen: string[] = [];
  await served(
    (request, response) => {
      seen.push(`${request.url} ${request.headers.authorization ?? 'none'}`);
      if (request.url === '/private/x') response.writeHead(302, { location: '/public' }).end();
      else response.end();
    },
    async (url, http) => {
      await read(
        fetchFrom(`${url}/private/x`, { http, logins: [{ machine: `${url}/private`, login: 'u', password: 'p' }] }),
      );
      assert.deepEqual(seen, [`/private/x Basic ${Buffer.from('u:p').toString('base64')}`, '/public none']);
    },
  );
});

test('files', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'a file');
  writeFileSync(path, 'content');
  await using http = new HttpClient();
  const url = pathToFileURL(path).href;
  assert.equal(Buffer.from((await read(fetchFrom(url, { http }))) ?? []).toString(), 'content');
  assert.equal(await isThere(url.replace('file:', 'copy:'), { http }), true);
  assert.equal(await fetchFrom(`${url}.not`, { http }), undefined);
});
