import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findTool, hasCode, messageOf, runTool, sleep, type Wait } from '../../base/index.ts';
import type { StepProgress } from '../../solve/index.ts';
import { NO_AUTH, type GitAuth } from './git-auth.ts';
import { gitError } from './errors.ts';
import { GitProgress, withoutProgress } from './git-progress.ts';

export interface GitOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly auth?: GitAuth | undefined;
  /** The socket of an ssh agent. */
  readonly agent?: string | undefined;
  /** A folder for the hosts that ssh comes to know. */
  readonly folder: string;
  /** Lines of a known_hosts file: no other server is trusted. */
  readonly knownHosts?: string | undefined;
}

export interface GitPlace {
  readonly gitDir?: string | undefined;
  readonly workTree?: string | undefined;
  /** It speaks to another machine: a connection that breaks, or a server that is busy, is tried again. */
  readonly network?: boolean | undefined;
  /** Told how far a command with `--progress` is. */
  readonly onProgress?: ((progress: StepProgress) => void) | undefined;
}

const TRIES = 4;
const FIRST_WAIT = 300;
const PASSING =
  /early EOF|RPC failed|Connection (?:was )?reset|timed out|unexpected disconnect|remote end hung up unexpectedly|Empty reply from server|Temporary failure in name resolution|returned error: (?:408|429|5\d\d)/i;

/** What of this process's environment git may see. */
const PASSED = ['PATH', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'TMPDIR'];
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

/**
 * The program git, with no configuration but the one given here: nothing of the machine's or the user's, no prompts, no hooks, no repository of this machine as a submodule. What is secret travels in its environment,
 * which only this user can read. Throws `GIT_NOT_INSTALLED`, and `GIT_FAILED` and `GIT_DENIED` with what git said.
 */
export class Git {
  readonly #o: GitOptions;
  readonly #program: string;
  readonly #setpriv: string | undefined;
  readonly #env: Readonly<Record<string, string>>;

  constructor(o: GitOptions) {
    const program = findTool('git', o.env['PATH'] ?? '');
    if (program === undefined)
      throw gitError('GIT_NOT_INSTALLED', 'fetch a git repository: the program git is not installed', {
        remedy: 'Install it: apt-get install git.',
      });
    this.#o = o;
    this.#program = program;
    this.#setpriv = findTool('setpriv', o.env['PATH'] ?? '');
    this.#env = environmentOf(o);
  }

  async run(args: readonly string[], o: GitPlace & Wait): Promise<string> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(args, o);
      } catch (error) {
        const passing = o.network === true && hasCode(error, 'GIT_FAILED') && PASSING.test(messageOf(error));
        if (!passing || tries >= TRIES) throw error;
        await sleep(FIRST_WAIT * 2 ** (tries - 1), o);
      }
    }
  }

  async #once(args: readonly string[], o: GitPlace & Wait): Promise<string> {
    // Ends with this process, however that ends.
    const [program, ...leash] =
      this.#setpriv === undefined ? [this.#program] : [this.#setpriv, '--pdeathsig', 'KILL', this.#program];
    const place = [
      ...(o.workTree === undefined ? [] : ['--work-tree', o.workTree]),
      ...(o.gitDir === undefined ? [] : ['--git-dir', o.gitDir]),
    ];
    try {
      const { stdout } = await runTool(program ?? this.#program, [...leash, ...place, ...args], {
        env: this.#env,
        cwd: o.workTree ?? o.gitDir ?? this.#o.folder,
        group: true,
        onStderr: o.onProgress && new GitProgress(o.onProgress).see,
        signal: o.signal,
      });
      return stdout.toString();
    } catch (error) {
      if (!hasCode(error, 'TOOL_FAILED')) throw error;
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): Error {
    const all = messageOf(error).replace(/^run "[^"]*": (?:exit code \d+: )?/, '');
    let said = withoutProgress(all) || all;
    for (const secret of this.#o.auth?.secrets ?? []) said = said.replaceAll(secret, '***');
    const denied =
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Permission denied \(|The requested URL returned error: 40[13]|Host key verification failed/.test(
        said,
      );
    return denied ? gitError('GIT_DENIED', said) : gitError('GIT_FAILED', said);
  }
}

function environmentOf(o: GitOptions): Record<string, string> {
  const env: Record<string, string> = {
    HOME: '/dev/null',
    XDG_CONFIG_HOME: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_TEMPLATE_DIR: '',
    GIT_CEILING_DIRECTORIES: dirname(o.folder),
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_SSH_COMMAND: sshCommand(o),
    LC_ALL: 'C',
  };
  for (const name of [...PASSED, ...PROXIES]) if (o.env[name] !== undefined) env[name] = o.env[name];
  env['GIT_SSL_CAINFO'] ??= o.env['SSL_CERT_FILE'] ?? '';
  if (env['GIT_SSL_CAINFO'] === '') delete env['GIT_SSL_CAINFO'];
  if (o.agent !== undefined) env['SSH_AUTH_SOCK'] = o.agent;
  const config: (readonly [string, string])[] = [
    // Not for submodules: a repository must not lead into this machine's files.
    ['protocol.file.allow', 'user'],
    ['safe.directory', '*'],
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.logAllRefUpdates', 'false'],
    ['init.defaultBranch', 'master'],
    ['advice.detachedHead', 'false'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['pack.threads', '1'],
    ['credential.helper', ''],
    ...(o.auth ?? NO_AUTH).config,
  ];
  env['GIT_CONFIG_COUNT'] = String(config.length);
  config.forEach(([name, value], i) => {
    env[`GIT_CONFIG_KEY_${i}`] = name;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  });
  return env;
}

/** ssh without configuration and prompts. A host seen for the first time is taken as it is (BuildKit asks the host itself for its key); one whose key the user knows must have that key. */
function sshCommand({ folder, env, knownHosts }: GitOptions): string {
  const home = env['HOME'];
  const own = join(folder, 'known_hosts');
  if (knownHosts !== undefined) writeFileSync(own, `${knownHosts}\n`, { mode: 0o600 });
  const files = [own, ...(home === undefined || knownHosts !== undefined ? [] : [join(home, '.ssh/known_hosts')])];
  const known = files.map((path) => `"${path}"`).join(' ');
  const strict = knownHosts === undefined ? 'accept-new' : 'yes';
  const options = ['BatchMode=yes', `StrictHostKeyChecking=${strict}`, `UserKnownHostsFile=${known}`];
  return [
    'ssh',
    '-F',
    '/dev/null',
    ...options.flatMap((option) => ['-o', `'${option.replaceAll("'", `'\\''`)}'`]),
  ].join(' ');
}
