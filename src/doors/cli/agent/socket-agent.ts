import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ByteChannel } from '../../../worker/index.ts';
import { AGENT, agentChannel, refused } from './agent-channel.ts';

/** What a step may ask of somebody's agent: which keys there are, signatures, and what ssh says of the session it is for. Not to add or remove keys, nor to lock it. */
const ALLOWED: readonly (number | undefined)[] = [AGENT.requestIdentities, AGENT.signRequest, AGENT.extension];

/** A connection to the agent that listens at a socket. Throws what connecting throws. */
export async function socketAgent(path: string): Promise<ByteChannel> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.on('error', () => undefined);
  const next = messagesOf(socket);
  return agentChannel(
    async (message) => {
      if (!ALLOWED.includes(message[0])) return refused;
      const head = Buffer.alloc(4);
      head.writeUInt32BE(message.length);
      socket.write(Buffer.concat([head, message]));
      const { value, done } = await next.next();
      if (done === true) throw new Error('the agent has closed the connection');
      return value;
    },
    () => socket.destroy(),
  );
}

async function* messagesOf(socket: Socket): AsyncGenerator<Buffer, void> {
  let begun = Buffer.alloc(0);
  for await (const chunk of socket) {
    begun = Buffer.concat([begun, chunk as Buffer]);
    while (begun.length >= 4 && begun.length >= begun.readUInt32BE(0) + 4) {
      const length = begun.readUInt32BE(0);
      yield Buffer.from(begun.subarray(4, length + 4));
      begun = begun.subarray(length + 4);
    }
  }
}
