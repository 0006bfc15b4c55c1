import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync } from 'node:fs';
import { createServer, request as plainRequest, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, collect, type Bytes } from './bytes.ts';
import { hasCode } from './error.ts';
import { HttpClient, redactUrl } from './http.ts';
import { systemRandom } from './random.ts';
import { tempFolder } from './temp.ts';

const tlsFile = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata/tls', name), 'utf8');

async function serve(listener: RequestListener, tls?: object): Promise<{ port: number } & AsyncDisposable> {
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const text = async (bytes: Bytes): Promise<string> => Buffer.from(await collect(bytes)).toString();

test('sends a stream with its length and reads the answer', async () => {
  await using server = await serve((request, response) => {
    request.toArray().then((chunks: Buffer[]) => {
      response.setHeader('warning', ['299 - "one"', '299 - "two"']);
      response.end(`${request.method} ${request.headers['content-length']} ${Buffer.concat(chunks).toString()}`);
    });
  });
  await using client = new HttpClient({ env: {} });
  const answer = await client.request({
    method: 'PUT',
    url: `http://127.0.0.1:${server.port}/x`,
    headers: { 'content-length': '6' },
    body: bytesOf(Buffer.from('abc'), Buffer.from('def')),
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.all('warning'), ['299 - "one"', '299 - "two"']);
  assert.equal(await text(answer.body), 'PUT 6 abcdef');
});

test('what the body throws comes out as it is', async () => {
  await using server = await serve((request, response) => {
    request.on('error', () => undefined).resume();
    request.on('end', () => response.end());
  });
  await using client = new HttpClient({ env: {} });
  const broken = new Error('the source broke');
  const body = async function* (): Bytes {
    yield Buffer.from('abc');
    throw broken;
  };
  await assert.rejects(
    client.request({
      method: 'PUT',
      url: `http://127.0.0.1:${server.port}/`,
      headers: { 'content-length': '6' },
      body: body(),
    }),
    (error) => error === broken,
  );
});

test('a closed port is unreachable, a broken body too, a fired signal is a cancellation', async () => {
  await using server = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('some');
    setTimeout(() => response.destroy(), 10);
  });
  await using client = new HttpClient({ env: {} });
  await assert.rejects(client.request({ method: 'GET', url: 'http://127.0.0.1:1/' }), (error) =>
    hasCode(error, 'HTTP_UNREACHABLE'),
  );
  const answer = await client.request({ method: 'GET', url: `http://127.0.0.1:${server.port}/` });
  await assert.rejects(collect(answer.body), (error) => hasCode(error, 'HTTP_UNREACHABLE'));
  const abort = new AbortController();
  const cut = await client.request({
    method: 'GET',
    url: `http://127.0.0.1:${server.port}/`,
    signal: abort.signal,
  });
  abort.abort();
  await assert.rejects(collect(cut.body), (error) => hasCode(error, 'CANCELLED'));
  await assert.rejects(
    client.request({ method: 'GET', url: `http://127.0.0.1:${server.port}/`, signal: abort.signal }),
    (error) => hasCode(error, 'CANCELLED'),
  );
});

test('an answer disposed of unread gives its connection back', async () => {
  const sockets = new Set<Socket>();
  await using server = await serve((request, response) => {
    sockets.add(request.socket);
    response.end('x'.repeat(1000));
  });
  await using client = new HttpClient({ env: {} });
  for (let i = 0; i < 3; i++) {
    {
      await using answer = await client.request({ method: 'GET', url: `http://127.0.0.1:${server.port}/` });
      assert.equal(answer.status, 200);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(sockets.size, 1);
});

test('TLS: not trusted, trusted by CA, not verified, with a client certificate', async () => {
  const tls = {
    cert: tlsFile('server.crt'),
    key: tlsFile('server.key'),
    ca: tlsFile('ca.crt'),
    requestCert: true,
    rejectUnauthorized: false,
  };
  await using server = await serve((request, response) => {
    const peer = (
      request.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } }
    ).getPeerCertificate();
    response.end(peer.subject?.CN ?? 'nobody');
  }, tls);
  const ask = async (options: object, host = 'localhost'): Promise<string> => {
    await using client = new HttpClient({ env: {}, ...options });
    return await text((await client.request({ method: 'GET', url: `https://${host}:${server.port}/` })).body);
  };
  await assert.rejects(ask({}), (error) => hasCode(error, 'HTTP_TLS') && /remedy|authority/i.test(error.remedy ?? ''));
  assert.equal(await ask({ ca: [tlsFile('ca.crt')] }), 'nobody');
  assert.equal(await ask({ ca: [tlsFile('ca.crt')] }, '127.0.0.1'), 'nobody');
  assert.equal(await ask({ skipVerify: true }), 'nobody');
  assert.equal(
    await ask({
      ca: [tlsFile('ca.crt')],
      clientCertificate: { cert: tlsFile('client.cert'), key: tlsFile('client.key') },
    }),
    'client',
  );
  await assert.rejects(ask({ clientCertificate: { cert: 'nonsense', key: 'nonsense' } }), (error) =>
    hasCode(error, 'HTTP_TLS'),
  );
  assert.equal(await ask({ env: { SSL_CERT_FILE: join(import.meta.dirname, 'testdata/tls/ca.crt') } }), 'nobody');
});

test('TLS spoken to a plain server is told from a certificate that is not trusted', async () => {
  await using server = await serve((_, response) => response.end());
  await using client = new HttpClient({ env: {} });
  await assert.rejects(client.request({ method: 'GET', url: `https://127.0.0.1:${server.port}/` }), (error) =>
    hasCode(error, 'HTTP_NOT_TLS'),
  );
});

test('a plain proxy is asked with the whole URL, a TLS one by CONNECT', async () => {
  const seen: string[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    const onward = plainRequest(
      { host: '127.0.0.1', port: plain.port, path: '/through', headers: { host: request.headers.host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500);
        answer.pipe(response);
      },
    );
    onward.end();
  });
  proxy.on('connect', (request, socket: Socket) => {
    seen.push(`CONNECT ${request.url}`);
    const onward = connect(secure.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await using plain = await serve((request, response) => response.end(`${request.url} for ${request.headers.host}`));
  await using secure = await serve((request, response) => response.end(`secure ${request.headers.host}`), {
    cert: tlsFile('server.crt'),
    key: tlsFile('server.key'),
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://me:se%20cret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    await using client = new HttpClient({ ca: [tlsFile('ca.crt')], env: { HTTP_PROXY: url, HTTPS_PROXY: url } });
    const one = await client.request({ method: 'GET', url: 'http://registry.test/a?b=c' });
    assert.equal(await text(one.body), '/through for registry.test');
    const two = await client.request({ method: 'GET', url: 'https://registry.test/' });
    assert.equal(await text(two.body), 'secure registry.test');
    assert.deepEqual(seen, [
      `GET http://registry.test/a?b=c Basic ${Buffer.from('me:se cret').toString('base64')}`,
      'CONNECT registry.test:443',
    ]);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('a URL is printed without user, password and query', () => {
  assert.equal(redactUrl('https://me:secret@host.test:8/path?token=1#x'), 'https://host.test:8/path');
  assert.equal(redactUrl('nonsense'), '(invalid URL)');
});

test('undici is not loaded before a request is made', () => {
  const index = join(import.meta.dirname, 'index.ts');
  const script = `const { HttpClient } = await import(${JSON.stringify(index)}); new HttpClient();
    const { createRequire } = await import('node:module');
    process.stdout.write(String(Object.keys(createRequire(${JSON.stringify(index)}).cache).some((file) => file.includes('undici'))));`;
  const printed = execFileSync(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    script,
  ]);
  assert.equal(printed.toString(), 'false');
});

test('connections that were opened beforehand serve when no other can be opened any more', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const socketPath = join(folder.path, 's');
  const server = createServer((request, response) => response.end(request.url));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    const connections = [connect(socketPath), connect(socketPath)];
    await Promise.all(connections.map((socket) => once(socket, 'connect')));
    connections[0]?.destroy();
    renameSync(socketPath, `${socketPath}-gone`);
    await using client = new HttpClient({ socketPath, connections });
    const get = async (path: string): Promise<string> =>
      text((await client.request({ method: 'GET', url: `http://d${path}` })).body);
    assert.equal(await get('/one'), '/one');
    assert.deepEqual(await Promise.all([get('/two'), get('/three')]), ['/two', '/three']);
    server.closeAllConnections();
    await assert.rejects(get('/four'), (error) => hasCode(error, 'HTTP_UNREACHABLE'));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
