import { execFileSync, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A repository with a work tree, to be served. */
export class TestRepository {
  readonly path: string;

  constructor(path: string, o: { format?: 'sha1' | 'sha256' } = {}) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.git('init', '-q', '-b', 'main', `--object-format=${o.format ?? 'sha1'}`);
    this.git('config', 'uploadpack.allowFilter', 'true');
  }

  git(...args: string[]): string {
    return execFileSync(
      'git',
      [
        '-C',
        this.path,
        '-c',
        'user.name=t',
        '-c',
        'user.email=t@t.example',
        '-c',
        'protocol.file.allow=always',
        ...args,
      ],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_COMMITTER_DATE: '2020-01-02T03:04:05Z',
          GIT_AUTHOR_DATE: '2020-01-02T03:04:05Z',
        },
      },
    ).trim();
  }

  /** The commit. */
  commit(files: Readonly<Record<string, string>>, message = 'change'): string {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.path, path)), { recursive: true });
      writeFileSync(join(this.path, path), content);
    }
    this.git('add', '-A');
    this.git('commit', '-q', '--allow-empty', '-m', message);
    return this.git('rev-parse', 'HEAD');
  }
}

/** Repositories below a folder, served by git's own CGI program over http on loopback. */
export class GitServer implements AsyncDisposable {
  readonly folder: string;
  readonly requests: string[] = [];
  /** The Authorization header that is asked for; without it 401. */
  authorization: string | undefined;
  /** Called with every request; true where it has been answered. */
  disturb: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  url = '';
  readonly #server: Server;

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'strake-git-'));
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      if (this.disturb?.(request, response)) return;
      if (this.authorization !== undefined && request.headers.authorization !== this.authorization) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
        return;
      }
      const url = new URL(request.url ?? '/', 'http://h');
      const child = spawn('git', ['http-backend'], {
        env: {
          PATH: process.env['PATH'],
          GIT_PROJECT_ROOT: this.folder,
          GIT_HTTP_EXPORT_ALL: '1',
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: 'safe.directory',
          GIT_CONFIG_VALUE_0: '*',
          GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
          REQUEST_METHOD: request.method,
          PATH_INFO: url.pathname,
          QUERY_STRING: url.search.slice(1),
          CONTENT_TYPE: request.headers['content-type'] ?? '',
          HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
          REMOTE_ADDR: '127.0.0.1',
        },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      child.stdin.on('error', () => undefined);
      request.pipe(child.stdin);
      let head = Buffer.alloc(0);
      let begun = false;
      child.stdout.on('data', (chunk: Buffer) => {
        if (begun) {
          response.write(chunk);
          return;
        }
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        begun = true;
        let status = 200;
        for (const line of head.subarray(0, end).toString().split('\r\n')) {
          const [name = '', value = ''] = line.split(': ');
          if (name === 'Status') status = Number.parseInt(value, 10);
          else response.setHeader(name, value);
        }
        response.writeHead(status);
        response.write(head.subarray(end + 4));
      });
      child.on('close', () => response.end());
    });
  }

  static async open(): Promise<GitServer> {
    const server = new GitServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    server.url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  repository(name: string, o: { format?: 'sha1' | 'sha256' } = {}): TestRepository {
    return new TestRepository(join(this.folder, name), o);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
