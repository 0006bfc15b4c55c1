import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/** What cases fetch from: `@HTTP@` a web server, `@GIT@` a git server with the repository "repo". */
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
  await wait(300);
  return {
    places: { HTTP: `http://127.0.0.1:${port}`, GIT: `git://127.0.0.1:${gitPort}` },
    [Symbol.asyncDispose]: async () => {
      // "git daemon" is a child of git.
      if (git.pid !== undefined) process.kill(-git.pid, 'SIGKILL');
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

async function freePort(): Promise<number> {
  const server = createTcp();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
