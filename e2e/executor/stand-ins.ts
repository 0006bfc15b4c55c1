import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A server of a test on loopback, and what it was asked. */
export interface StandIn extends AsyncDisposable {
  readonly host: string;
  readonly url: string;
  /** `GET /path 200`. */
  readonly asked: string[];
}

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => void;

export async function serve(server: Server, answer: Answer): Promise<StandIn> {
  const asked: string[] = [];
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    request.on('data', (chunk: Buffer) => parts.push(chunk));
    request.on('end', () => {
      response.on('finish', () => asked.push(`${request.method} ${request.url} ${response.statusCode}`));
      answer(request, Buffer.concat(parts).toString(), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `http://${host}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Message>${words}</Message></Error>`);
}

export interface AwsKeys {
  readonly id: string;
  readonly secret: string;
  readonly token?: string | undefined;
}

/** Checks a request's Signature 4 from what arrived, by the words of AWS' documents. Undefined when it is right. */
export function wrongSignature(
  request: IncomingMessage,
  body: string,
  o: { keys: AwsKeys; service: string },
): string | undefined {
  const header = request.headers.authorization ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) return 'no signature';
  const [, id, day = '', region = '', service, names = '', signature] = match;
  if (id !== o.keys.id || service !== o.service) return 'another key or service';
  if (o.keys.token !== undefined && request.headers['x-amz-security-token'] !== o.keys.token) return 'no session token';
  if (service === 's3' && request.headers['x-amz-content-sha256'] === undefined) return 'no digest of the body';
  const url = new URL(request.url ?? '', 'http://x');
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
  const lines = names.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const canonical = `${request.method}\n${url.pathname}\n${url.search.slice(1)}\n${lines.join('')}\n${names}\n${sha(body)}`;
  const text = `AWS4-HMAC-SHA256\n${request.headers['x-amz-date'] as string}\n${day}/${region}/${service}/aws4_request\n${sha(canonical)}`;
  const mac = (key: Buffer | string, data: string): Buffer => createHmac('sha256', key).update(data).digest();
  const key = mac(mac(mac(mac(`AWS4${o.keys.secret}`, day), region), service), 'aws4_request');
  return mac(key, text).toString('hex') === signature
    ? undefined
    : 'The request signature we calculated does not match';
}

/** S3 by its paths (`/bucket/key`), and what gives keys: STS by a web identity token, and the metadata of a machine by a session token (IMDSv2). Objects break off once after `breakAfter` bytes. */
export async function s3(
  objects: Readonly<Record<string, Buffer>>,
  o: { keys: AwsKeys; webToken?: string; breakAfter?: number },
): Promise<StandIn> {
  let broken = o.breakAfter === undefined;
  return serve(createServer(), (request, body, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (url.pathname === '/latest/api/token' && request.method === 'PUT') return void response.end('session');
    if (url.pathname.startsWith('/latest/meta-data/iam/security-credentials/')) {
      if (request.headers['x-aws-ec2-metadata-token'] !== 'session') return refuse(response, 401, 'no token');
      const { id, secret, token } = o.keys;
      return void response.end(
        url.pathname.endsWith('/role')
          ? JSON.stringify({ Code: 'Success', AccessKeyId: id, SecretAccessKey: secret, Token: token })
          : 'role\n',
      );
    }
    if (request.method === 'POST' && url.pathname === '/') {
      const form = new URLSearchParams(body);
      if (form.get('Action') !== 'AssumeRoleWithWebIdentity' || form.get('WebIdentityToken') !== o.webToken)
        return refuse(response, 403, 'not this identity');
      const { id, secret, token } = o.keys;
      return void response.end(
        `<R><Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${token}</SessionToken></Credentials></R>`,
      );
    }
    const wrong = wrongSignature(request, body, { keys: o.keys, service: 's3' });
    if (wrong !== undefined) return refuse(response, 403, wrong);
    const content = objects[decodeURIComponent(url.pathname)];
    if (!content) return refuse(response, 404, 'The specified key does not exist.');
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0 && request.headers['if-match'] !== '"one"') return refuse(response, 412, 'changed');
    response.writeHead(from > 0 ? 206 : 200, { etag: '"one"', 'content-length': content.length - from });
    if (broken) return void response.end(content.subarray(from));
    broken = true;
    response.write(content.subarray(0, o.breakAfter), () => setTimeout(() => response.destroy(), 50));
  });
}

/** Google Cloud Storage's JSON API, and a token endpoint that verifies the assertion of a service account. */
export async function gcs(
  objects: Readonly<Record<string, Buffer>>,
  o: { publicKey: string; email: string },
): Promise<StandIn> {
  const standIn: StandIn = await serve(createServer(), (request, body, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (url.pathname === '/token') {
      const [header = '', claims = '', signature = ''] = (new URLSearchParams(body).get('assertion') ?? '').split('.');
      const right = verify(
        'sha256',
        Buffer.from(`${header}.${claims}`),
        createPublicKey(o.publicKey),
        Buffer.from(signature, 'base64url'),
      );
      const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
        iss?: string;
        aud?: string;
        exp: number;
        iat: number;
      };
      if (!right || said.iss !== o.email || said.aud !== `${standIn.url}/token` || said.exp - said.iat > 3600)
        return void response.writeHead(400).end('{"error":"invalid_grant"}');
      return void response.end(JSON.stringify({ access_token: 'the-token', expires_in: 3600 }));
    }
    if (request.headers.authorization !== 'Bearer the-token') return refuse(response, 401, 'Login Required.');
    const match = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/.exec(url.pathname);
    const content = match && objects[`/${match[1]}/${decodeURIComponent(match[2] ?? '')}`];
    if (!content || url.searchParams.get('alt') !== 'media') return refuse(response, 404, 'No such object');
    response.end(content);
  });
  return standIn;
}

/** Keys and certificates of a test, by openssl: `ca.crt`, and `server.crt` with `server.key` for these names. */
export function certificates(
  folder: string,
  names: readonly string[],
): { readonly ca: string; readonly cert: Buffer; readonly key: Buffer } {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  writeFileSync(at('names'), `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`);
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...ec,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
    '-days',
    '30',
    '-subj',
    '/CN=test authority',
  );
  openssl('req', ...ec, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=server');
  openssl(
    'x509',
    '-req',
    '-in',
    at('server.csr'),
    '-CA',
    at('ca.crt'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-out',
    at('server.crt'),
    '-days',
    '30',
    '-extfile',
    at('names'),
  );
  return { ca: at('ca.crt'), cert: readFileSync(at('server.crt')), key: readFileSync(at('server.key')) };
}

/** Azure's blobs at any host name, by the shared key of the account that the host names, and plain files at `files.example`; both behind TLS. PUT bodies are kept in `put`. */
export async function tlsFiles(
  objects: Readonly<Record<string, Buffer>>,
  o: { cert: Buffer; key: Buffer; account: string; accountKey: string; put: Map<string, string> },
): Promise<StandIn> {
  return serve(createTlsServer({ cert: o.cert, key: o.key }), (request, body, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (request.method === 'PUT') {
      o.put.set(url.pathname, body);
      return void response.writeHead(201).end();
    }
    if (url.pathname === '/elsewhere') return void response.writeHead(302, { location: '/plain.tar.gz' }).end();
    if (request.headers.host?.startsWith(`${o.account}.`) && url.searchParams.get('sig') !== 'shared') {
      const own = Object.keys(request.headers)
        .filter((name) => name.startsWith('x-ms-'))
        .sort();
      const text = `GET\n\n\n\n\n\n\n\n\n\n\n\n${own.map((name) => `${name}:${String(request.headers[name])}\n`).join('')}/${o.account}${url.pathname}`;
      const wanted = createHmac('sha256', Buffer.from(o.accountKey, 'base64')).update(text).digest('base64');
      if (request.headers.authorization !== `SharedKey ${o.account}:${wanted}`)
        return refuse(response, 403, 'Server failed to authenticate the request.');
    }
    const content = objects[url.pathname];
    if (!content) return refuse(response, 404, 'The specified blob does not exist.');
    response.end(content);
  });
}

/** A proxy that takes every connection to one server, so that names of the world lead to a stand-in. */
export async function proxyTo(target: StandIn): Promise<StandIn> {
  const server = createServer();
  const standIn = await serve(server, (_request, _body, response) => void response.writeHead(502).end());
  server.on('connect', (request, socket) => {
    standIn.asked.push(`CONNECT ${request.url}`);
    const [host, port] = target.host.split(':');
    const there = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      there.pipe(socket).pipe(there);
    });
    there.on('error', () => socket.destroy());
    socket.on('error', () => there.destroy());
  });
  return standIn;
}

/** Files of a bare repository, for git's simple protocol; with `login` (`user:password`) to nobody else. */
export async function gitFiles(folder: string, o: { login?: string } = {}): Promise<StandIn> {
  return serve(createServer(), (request, _body, response) => {
    const denied =
      o.login !== undefined && request.headers.authorization !== `Basic ${Buffer.from(o.login).toString('base64')}`;
    const path = join(folder, new URL(request.url ?? '', 'http://x').pathname);
    if (denied) response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    else if (!existsSync(path) || !statSync(path).isFile()) response.writeHead(404).end();
    else response.end(readFileSync(path));
  });
}
