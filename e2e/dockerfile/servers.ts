import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcp, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { layoutOf } from './bases.ts';

/** What cases fetch from: `@HTTP@` a web server, `@GIT@` a git server with the repository "repo", `@AGENT@` the socket of an ssh agent, `@LAYOUT@` an OCI layout; and `@LONG@`, a very long word. */
export async function openServers(
  work: string,
): Promise<{ readonly places: Readonly<Record<string, string>> } & AsyncDisposable> {
  const folder = join(work, 'served');
  mkdirSync(folder, { recursive: true });
  const tar = archive(folder);
  const pages: Readonly<Record<string, Uint8Array>> = {
    '/file.txt': Buffer.from('served\n'),
    '/': Buffer.from('without a name\n'),
    '/dir/': Buffer.from('of a folder\n'),
    '/archive.tar': tar,
    '/archive.tar.gz': gzipSync(tar),
  };
  const web = createServer((request, response) => {
    const body = pages[request.url ?? ''];
    response.statusCode = body ? 200 : 404;
    response.setHeader('Last-Modified', 'Sat, 03 Feb 2001 04:05:06 GMT');
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  repository(join(folder, 'repo'));
  const agent = await emptyAgent(join(folder, 'agent'));
  const gitPort = await freePort();
  const git = spawn(
    'git',
    [
      'daemon',
      '--reuseaddr',
      '--export-all',
      '--listen=127.0.0.1',
      `--port=${gitPort}`,
      `--base-path=${folder}`,
      folder,
    ],
    { stdio: 'ignore', detached: true },
  );
  await answering(gitPort);
  return {
    places: {
      // A line beyond the limit of BuildKit's parser.
      LONG: 'x'.repeat(66_000),
      AGENT: agent.socket,
      LAYOUT: layoutOf(work),
      HTTP: `http://127.0.0.1:${port}`,
      GIT: `git://127.0.0.1:${gitPort}`,
    },
    [Symbol.asyncDispose]: async () => {
      // "git daemon" is a child of git.
      if (git.pid !== undefined) process.kill(-git.pid, 'SIGKILL');
      agent.close();
      web.closeAllConnections();
      await new Promise((resolve) => web.close(resolve));
    },
  };
}

function archive(folder: string): Uint8Array {
  const content = join(folder, 'content');
  mkdirSync(join(content, 'inner'), { recursive: true });
  writeFileSync(join(content, 'inner/packed'), 'packed\n');
  return execFileSync('tar', [
    '-C',
    content,
    '--sort=name',
    '--owner=7:7',
    '--group=8:8',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
    '--mtime=@981173106',
    '-c',
    'inner',
  ]);
}

function repository(folder: string): void {
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'read.me'), 'in git\n');
  writeFileSync(join(folder, 'sub/file'), 'in a folder of git\n');
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_DATE: '2003-03-03T03:03:03Z',
    GIT_COMMITTER_DATE: '2003-03-03T03:03:03Z',
  };
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@example', ...args], {
      cwd: folder,
      env,
      stdio: 'ignore',
    });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'one');
  git('tag', 'v1');
  git('checkout', '-q', '-b', 'other');
  writeFileSync(join(folder, 'read.me'), 'on a branch\n');
  git('commit', '-qam', 'two');
  git('checkout', '-q', 'main');
}

/** A socket at which an agent without keys answers: the length, then SSH_AGENT_IDENTITIES_ANSWER and none. */
async function emptyAgent(socket: string): Promise<{ socket: string; close: () => void }> {
  const server = createTcp((connection) => {
    connection.on('data', () => connection.write(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0])));
    connection.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return { socket, close: () => void server.close() };
}

/** Waits until somebody listens. */
async function answering(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
    if (isUp) return;
    await wait(50);
  }
  throw new Error('the git server did not start');
}

async function freePort(): Promise<number> {
  const server = createTcp();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
