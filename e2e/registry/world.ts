import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findTool } from '../../src/base/index.ts';

const run = promisify(execFile);

/** Why a test that needs these programs cannot run, or undefined. */
export function lacking(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => findTool(program) === undefined);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

/** A folder that is removed at the end of the scope. */
export function scratchFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'strake-e2e-registry-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Debian's docker-registry on a free port of loopback, with these users (bcrypt htpasswd) or open to all. */
export async function dockerRegistry(
  folder: string,
  o: { users?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly host: string } & AsyncDisposable> {
  const port = await freePort();
  const users = Object.entries(o.users ?? {}).map(([user, password]) =>
    execFileSync('htpasswd', ['-Bbn', user, password]).toString(),
  );
  writeFileSync(join(folder, 'htpasswd'), users.join(''));
  const auth = o.users ? `auth:\n  htpasswd:\n    realm: test\n    path: ${join(folder, 'htpasswd')}\n` : '';
  writeFileSync(
    join(folder, 'registry.yml'),
    `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${join(folder, 'data')}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:${port}\n${auth}`,
  );
  const child: ChildProcess = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const host = `127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer) break;
    if (attempt === 100 || child.exitCode !== null) throw new Error(`docker-registry did not start: ${said}`);
    await wait(50);
  }
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** skopeo without the machine's own policy and logins. */
export async function skopeo(folder: string, ...args: string[]): Promise<string> {
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const { stdout } = await run('skopeo', ['--policy', policy, ...args], {
    env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder },
    maxBuffer: 64 << 20,
  });
  return stdout;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
