import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { hasCode, HttpClient } from '../../../base/index.ts';
import { download } from './download.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, path: string) => void | Promise<void>;

/** Downloads once from a server of these answers, the last one again and again; gives the file and what was asked. */
async function fetched(...answers: Answer[]): Promise<{ content: string; ranges: (string | undefined)[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-download-'));
  const path = join(folder, 'file');
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    void (answers[Math.min(ranges.length, answers.length) - 1] as Answer)(request, response, path);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await using http = new HttpClient({ env: {} });
    await download(http, new URL(`http://127.0.0.1:${port}/x?secret=1`), { path, what: 'download "x"', firstDelay: 1 });
    return { content: readFileSync(path, 'utf8'), ranges };
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
}

/** Sends the beginning, and breaks off when it has arrived in the file. */
const breaksAfter =
  (text: string, headers: Record<string, string>): Answer =>
  async (_request, response, path) => {
    response.writeHead(200, headers);
    response.write(text);
    while (statSync(path).size < text.length) await new Promise((resolve) => setTimeout(resolve, 5));
    response.destroy();
  };
const whole: Answer = (_request, response) => void response.end('0123456789');

suite('downloading a context', () => {
  test('goes on where it broke off, if the server says what it was', async () => {
    const rest: Answer = (request, response) => {
      assert.equal(request.headers['if-match'], '"a"');
      response.writeHead(206, { etag: '"a"' }).end('456789');
    };
    const headers = { 'content-length': '10', etag: '"a"' };
    assert.deepEqual(await fetched(breaksAfter('0123', headers), rest), {
      content: '0123456789',
      ranges: [undefined, 'bytes=4-'],
    });
  });

  test('begins again where it cannot: no tag, a changed file, a server without ranges', async () => {
    const plain = { 'content-length': '10' };
    assert.deepEqual((await fetched(breaksAfter('0123', plain), whole)).ranges, [undefined, undefined]);
    const tagged = { ...plain, etag: '"a"' };
    const changed: Answer = (_request, response) => void response.writeHead(412).end();
    assert.deepEqual(await fetched(breaksAfter('abcd', tagged), changed, whole), {
      content: '0123456789',
      ranges: [undefined, 'bytes=4-', undefined],
    });
    const other: Answer = (_request, response) =>
      void response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end('0123456789');
    assert.deepEqual((await fetched(breaksAfter('0123', tagged), other, whole)).ranges, [
      undefined,
      'bytes=4-',
      undefined,
    ]);
    const shorter: Answer = (_request, response) => void response.end('01');
    assert.equal((await fetched(breaksAfter('abcd', tagged), shorter)).content, '01');
  });

  test('follows redirects, tries again what may pass, gives up on what will not', async () => {
    const away: Answer = (_request, response) => void response.writeHead(302, { location: '/y' }).end();
    assert.equal((await fetched(away, whole)).content, '0123456789');
    const busy: Answer = (_request, response) => void response.writeHead(503).end();
    assert.equal((await fetched(busy, whole)).content, '0123456789');
    for (const [status, code] of [
      [404, 'CONTEXT_NOT_FOUND'],
      [403, 'CONTEXT_DENIED'],
      [400, 'CONTEXT_INVALID'],
    ] as const)
      await assert.rejects(
        fetched((_request, response) => void response.writeHead(status).end('{"message":"because"}')),
        (error) => hasCode(error, code) && error.message === `download "x": HTTP status ${status} (because)`,
      );
    await assert.rejects(
      fetched((_request, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end()),
      (error) => hasCode(error, 'CONTEXT_INVALID') && !error.message.includes('secret'),
    );
  });
});
