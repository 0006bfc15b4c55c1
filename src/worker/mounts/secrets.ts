import type { Wait } from '../../base/index.ts';
import type { StepMount } from '../../exec/index.ts';
import type { ExecOp, OpMount } from '../../graph/index.ts';
import type { BuildHost } from '../build-host.ts';
import { workerError } from '../errors.ts';

type SecretMount = Extract<OpMount, { type: 'secret' }>;

/** What the secrets of a step come to: files on a tmpfs of its own, and variables. */
export interface StepSecrets {
  readonly mounts: readonly StepMount[];
  readonly env: readonly string[];
}

/** Asks for the secrets that a step mounts, each once. Throws `SECRET_NOT_GIVEN` for one that it requires and nobody has given. */
export async function openSecrets(op: ExecOp, host: Pick<BuildHost, 'secret'>, w: Wait): Promise<StepSecrets> {
  const asked = new Map<string, Promise<Uint8Array | undefined>>();
  const valueOf = (id: string): Promise<Uint8Array | undefined> => {
    const value = asked.get(id) ?? host.secret(id, w);
    asked.set(id, value);
    return value;
  };
  const mounts: StepMount[] = [];
  const env: string[] = [];
  for (const mount of op.mounts) {
    if (mount.type !== 'secret') continue;
    const content = await valueOf(mount.id);
    if (content === undefined) {
      if (mount.required) throw missing(mount.id);
      continue;
    }
    if (mount.env !== undefined) env.push(variable(mount, content));
    if (mount.target === undefined && mount.env !== undefined) continue;
    const { mode, uid, gid } = mount;
    mounts.push({ type: 'file', target: targetOf(mount), content, mode, uid, gid });
  }
  return { mounts, env };
}

/** A variable whose value is a secret. */
export interface SecretVariable {
  readonly id: string;
  readonly name: string;
  readonly required: boolean;
}

/** As `NAME=value`; one that nobody has given and that is not required is left out. Throws `SECRET_NOT_GIVEN`. */
export async function secretVariables(
  wanted: readonly SecretVariable[],
  host: Pick<BuildHost, 'secret'>,
  w: Wait,
): Promise<readonly string[]> {
  const env: string[] = [];
  for (const { id, name, required } of wanted) {
    const content = await host.secret(id, w);
    if (content !== undefined) env.push(variable({ id, env: name }, content));
    else if (required) throw missing(id);
  }
  return env;
}

function targetOf({ id, target }: SecretMount): string {
  return target ?? `/run/secrets/${id.split('/').at(-1) ?? id}`;
}

function variable({ id, env }: Pick<SecretMount, 'id' | 'env'>, content: Uint8Array): string {
  if (content.includes(0))
    throw workerError('STEP_MOUNT_INVALID', `give secret "${id}" as variable "${env}": it has a NUL character`, {
      remedy: 'Mount it as a file: leave "env" out.',
    });
  const text = Buffer.from(content).toString();
  if (!Buffer.from(text).equals(content))
    throw workerError('STEP_MOUNT_INVALID', `give secret "${id}" as variable "${env}": it is no UTF-8 text`, {
      remedy: 'Mount it as a file: leave "env" out.',
    });
  return `${env}=${text}`;
}

function missing(id: string): Error {
  return workerError('SECRET_NOT_GIVEN', `mount secret "${id}": not found, this build was not given it`, {
    remedy: `Give it: --secret id=${id},src=FILE, or --secret id=${id},env=VARIABLE.`,
  });
}
