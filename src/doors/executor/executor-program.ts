import { versionLine, type Io } from '../cli/index.ts';
import { executorError } from './errors.ts';
import { EXECUTOR_FLAGS, LOGIN_FLAGS, PUSH_FLAGS } from './flags.ts';
import { executorOptions } from './options.ts';
import { runProgram, type Program } from './run-program.ts';
import { during } from './stage.ts';

const EXECUTOR: Program = {
  name: 'executor',
  usage: '[flags] | login | push | version',
  about: "Builds an image with kaniko's command line.",
  flags: EXECUTOR_FLAGS,
  async run(parsed, o) {
    const [word] = parsed.words;
    if (word !== undefined)
      throw executorError('FLAG_INVALID', `read the command line: unknown command "${word}" for "executor"`, {
        remedy: 'See "executor --help".',
      });
    const options = await during('Error', async () => executorOptions(parsed, { env: o.io.env, cwd: o.io.cwd }));
    const { build } = await import('./build.ts');
    await build(options, o);
  },
};

const PUSH: Program = {
  name: 'executor push',
  usage: '<archive or OCI layout> -d registry/name:tag…',
  about: 'Pushes an image that was built before.',
  flags: PUSH_FLAGS,
  async run(parsed, o) {
    const { push } = await import('./push-image.ts');
    await push(parsed, o);
  },
};

const LOGIN: Program = {
  name: 'executor login',
  usage: '<registry> -u user -p password | --password-stdin',
  about: 'Keeps a login for a registry in config.json.',
  flags: LOGIN_FLAGS,
  async run(parsed, o) {
    const { login } = await import('./login.ts');
    await login(parsed, o);
  },
};

/** `executor` and its subcommands, to the exit code. */
export async function runExecutor(
  argv: readonly string[],
  o: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
  const [word, ...rest] = argv;
  if (word === 'version') {
    o.io.stdout.write(`${versionLine()}\n`);
    return 0;
  }
  if (word === 'push') return runProgram(PUSH, rest, o);
  if (word === 'login') return runProgram(LOGIN, rest, o);
  return runProgram(EXECUTOR, argv, o);
}
