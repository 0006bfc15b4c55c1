import { Channel } from '../../../base/index.ts';
import type { ByteChannel } from '../../../worker/index.ts';

/** Answers a message of the ssh agent protocol (draft-ietf-sshm-ssh-agent), both without their lengths. */
export type AgentAnswer = (message: Buffer) => Promise<Buffer>;

export const AGENT = {
  failure: 5,
  requestIdentities: 11,
  identities: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

const LONGEST = 256 << 10;

/** One connection to an agent: messages are answered one after the other. What is no message ends it. */
export function agentChannel(answer: AgentAnswer, close: () => void = () => undefined): ByteChannel {
  const out = new Channel<Uint8Array>();
  let begun = Buffer.alloc(0);
  let last = Promise.resolve();
  const reply = async (message: Buffer): Promise<void> => {
    try {
      const answered = await answer(message);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(answered.length);
      out.push(Buffer.concat([head, answered]));
    } catch {
      out.end();
    }
  };
  return {
    readable: out,
    write: async (chunk) => {
      begun = Buffer.concat([begun, chunk]);
      while (begun.length >= 4) {
        const length = begun.readUInt32BE(0);
        if (length === 0 || length > LONGEST) {
          out.end();
          return;
        }
        if (begun.length < length + 4) break;
        const message = Buffer.from(begun.subarray(4, length + 4));
        begun = begun.subarray(length + 4);
        last = last.then(() => reply(message));
      }
      await last;
    },
    [Symbol.asyncDispose]: async () => {
      out.end();
      close();
    },
  };
}

export const refused: Buffer = Buffer.of(AGENT.failure);
