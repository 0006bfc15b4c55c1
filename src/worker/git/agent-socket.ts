import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { kindOf, type Wait } from '../../base/index.ts';
import type { BuildHost } from '../build-host.ts';

/** The longest path that a socket can have (unix(7)). */
const LONGEST = 107;

/** A socket at which programs of this user find the asking side's ssh agent; undefined where it offers none. Every connection is one of its own. */
export async function agentSocket(
  host: Pick<BuildHost, 'agent'>,
  o: { readonly id: string; readonly folder: string } & Wait,
): Promise<({ readonly path: string } & AsyncDisposable) | undefined> {
  try {
    await using tried = await host.agent(o.id, o);
    void tried;
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    return undefined;
  }
  const own = join(o.folder, 'agent').length > LONGEST ? mkdtempSync(join(tmpdir(), 'strake-agent-')) : undefined;
  const path = join(own ?? o.folder, 'agent');
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    serve(socket, host, o).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      if (own !== undefined) rmSync(own, { recursive: true, force: true });
    },
  };
}

async function serve(socket: Socket, host: Pick<BuildHost, 'agent'>, o: { id: string } & Wait): Promise<void> {
  await using channel = await host.agent(o.id, o);
  const asking = (async () => {
    for await (const chunk of socket) await channel.write(chunk as Uint8Array);
  })();
  asking.catch(() => undefined);
  await Promise.race([pipeline(channel.readable, socket), asking]);
}
