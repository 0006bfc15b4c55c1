import { AGENT, refused, type AgentAnswer } from './agent-channel.ts';
import type { SshKey } from './private-key.ts';
import { sshNumber, SshReader, sshString } from './ssh-wire.ts';

/** An agent with these keys, which can only be listed and signed with: for `--ssh id=KEYFILE`. Of our own rather than ssh-agent's, so that keys stay in this process and nothing is left when it is killed. */
export function keyAgent(keys: readonly SshKey[]): AgentAnswer {
  return async (message) => {
    if (message[0] === AGENT.requestIdentities) {
      const listed = keys.flatMap(({ blob, comment }) => [sshString(blob), sshString(comment)]);
      return Buffer.concat([Buffer.of(AGENT.identities), sshNumber(keys.length), ...listed]);
    }
    if (message[0] !== AGENT.signRequest) return refused;
    const reader = new SshReader(message.subarray(1));
    const blob = reader.string();
    const data = reader.string();
    const flags = reader.number();
    const key = keys.find((one) => one.blob.equals(blob));
    return key ? Buffer.concat([Buffer.of(AGENT.signResponse), sshString(key.sign(data, flags))]) : refused;
  };
}
