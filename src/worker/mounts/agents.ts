import { kindOf, type Wait } from '../../base/index.ts';
import type { StepMount } from '../../exec/index.ts';
import type { ExecOp } from '../../graph/index.ts';
import type { BuildHost } from '../build-host.ts';
import { workerError } from '../errors.ts';

/** The sockets at which a step finds the asking side's ssh agents, each tried by one connection. Throws `SSH_NOT_GIVEN` for one that it requires and nobody has given. */
export async function openAgents(op: ExecOp, host: Pick<BuildHost, 'agent'>, w: Wait): Promise<readonly StepMount[]> {
  const mounts: StepMount[] = [];
  for (const mount of op.mounts) {
    if (mount.type !== 'ssh') continue;
    const { id, target, mode, uid, gid } = mount;
    try {
      await using tried = await host.agent(id, w);
      void tried;
    } catch (error) {
      if (kindOf(error) !== 'not_found') throw error;
      if (!mount.required) continue;
      throw workerError('SSH_NOT_GIVEN', `mount ssh agent "${id}": this build was not given one`, {
        cause: error,
        remedy: `Give it: --ssh ${id} forwards the agent at SSH_AUTH_SOCK, --ssh ${id}=KEYFILE offers a key.`,
      });
    }
    mounts.push({ type: 'socket', name: id, target, mode, uid, gid });
  }
  return mounts;
}
