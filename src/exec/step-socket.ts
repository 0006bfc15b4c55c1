import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { messageOf } from '../base/index.ts';
import { execError } from './errors.ts';
import type { ProcessIo } from './process.ts';

/** A listening socket at `path`: each connection to it is carried to what `io.connect` gives for `name`. The end of the scope closes it with all its connections. */
export function serveSocket(
  path: string,
  o: { readonly name: string; readonly io: Pick<ProcessIo, 'connect' | 'stderr'> },
): Disposable {
  const ending = new AbortController();
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    void carry(socket, { ...o, signal: ending.signal }).finally(() => open.delete(socket));
  });
  // Names of sockets are short (unix(7)): by its open folder, however deep that lies, until libuv has unlinked it by this name.
  const folder = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
  server.on('error', () => undefined);
  server.listen({ path: `/proc/self/fd/${folder}/${basename(path)}` });
  const dispose = (): void => {
    ending.abort();
    server.close();
    for (const socket of open) socket.destroy();
    closeSync(folder);
  };
  if (!existsSync(path)) {
    dispose();
    throw execError('RUNTIME_FAILED', `make socket "${o.name}" for a process: it could not be bound`);
  }
  return { [Symbol.dispose]: dispose };
}

async function carry(
  socket: Socket,
  o: { readonly name: string; readonly io: Pick<ProcessIo, 'connect' | 'stderr'>; readonly signal: AbortSignal },
): Promise<void> {
  const { io, name, signal } = o;
  try {
    if (!io.connect) throw new Error('nothing was offered');
    await using channel = await io.connect(name, { signal });
    const out = async (): Promise<void> => {
      for await (const chunk of socket) await channel.write(chunk as Uint8Array);
    };
    const back = async (): Promise<void> => {
      for await (const chunk of channel.readable) {
        if (socket.destroyed) return;
        if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      }
    };
    const both = [out(), back()];
    // Whoever hangs up ends it.
    await Promise.race(both).finally(() => void Promise.allSettled(both));
    socket.destroySoon();
  } catch (error) {
    socket.destroy();
    if (!signal.aborted) await io.stderr(Buffer.from(`strake: connection to "${name}": ${messageOf(error)}\n`));
  }
}

const O_PATH = 0o10000000;
