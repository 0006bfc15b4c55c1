import { runTool, type ToolResult, type Wait } from '../base/index.ts';
import type { Credential } from './credential.ts';
import { registryError } from './errors.ts';

export interface HelperOptions extends Wait {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Speaks to `docker-credential-<name>` (docker/docker-credential-helpers): the host on stdin of `get` and `erase`, JSON on stdin of `store`. Throws `CREDENTIAL_HELPER_FAILED`;
 * a helper that has nothing answers undefined.
 */
export async function helperGet(name: string, server: string, options: HelperOptions): Promise<Credential | undefined> {
  const result = await run(name, 'get', server, options);
  if (result === undefined) return undefined;
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(result.stdout.toString()) as typeof answer;
  } catch {
    throw failed(name, 'get', 'its answer is not JSON');
  }
  const { Username: username, Secret: secret } = answer;
  if (typeof secret !== 'string' || secret === '') return undefined;
  if (username === '<token>') return { secret, kind: 'identity-token' };
  return { username: typeof username === 'string' ? username : '', secret, kind: 'password' };
}

export async function helperStore(
  name: string,
  server: string,
  options: { credential: Credential } & HelperOptions,
): Promise<void> {
  const { credential } = options;
  const user = credential.kind === 'identity-token' ? '<token>' : (credential.username ?? '');
  await run(name, 'store', JSON.stringify({ ServerURL: server, Username: user, Secret: credential.secret }), options);
}

/** To erase what is not there is no failure. */
export async function helperErase(name: string, server: string, options: HelperOptions): Promise<void> {
  await run(name, 'erase', server, options);
}

async function run(
  name: string,
  action: 'get' | 'store' | 'erase',
  input: string,
  options: HelperOptions,
): Promise<ToolResult | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw registryError('CREDENTIALS_INVALID', `ask credential helper "${name}": this is not the name of a helper`);
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.env)) if (value !== undefined) env[key] = value;
  let result: ToolResult;
  try {
    result = await runTool(`docker-credential-${name}`, [action], {
      input: Buffer.from(input),
      env,
      check: false,
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw failed(name, action, `"docker-credential-${name}" is not on PATH or cannot be run`, error);
  }
  if (result.code === 0) return result;
  // Helpers report failures on stdout; a `store` that echoes what it was given must not bring it into a message.
  const said = action === 'store' ? result.stderr : `${result.stdout.toString()} ${result.stderr}`;
  if (action !== 'store' && /credentials not found/i.test(said)) return undefined;
  throw failed(name, action, said.replace(/\s+/g, ' ').trim().slice(0, 300) || `exit code ${result.code}`);
}

function failed(name: string, action: string, detail: string, cause?: unknown): Error {
  return registryError('CREDENTIAL_HELPER_FAILED', `ask credential helper "${name}" to ${action}: ${detail}`, {
    cause,
    remedy: `Install or repair "docker-credential-${name}", or take "${name}" out of the "credHelpers" and "credsStore" of your docker config.json.`,
  });
}
