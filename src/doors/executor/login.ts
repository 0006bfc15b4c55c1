import { collect, type Wait } from '../../base/index.ts';
import { Credentials } from '../../registry/index.ts';
import type { Io } from '../cli/index.ts';
import { executorError } from './errors.ts';
import { LOGIN_FLAGS } from './flags.ts';
import type { Log } from './log.ts';
import { withDockerConfig } from './logins/logins.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { Values } from './values.ts';

/** `executor login REGISTRY`: keeps a login where the next build looks for it; the registry is not asked, as in kaniko. */
export async function login(parsed: ParsedFlags, o: { readonly io: Io; readonly log: Log } & Wait): Promise<void> {
  const { io, log } = o;
  const values = new Values(parsed, { flags: LOGIN_FLAGS, env: io.env });
  const refuse = (detail: string): Error => executorError('FLAGS_CONFLICT', `read the flags: ${detail}`);
  const [registry, ...more] = parsed.words;
  if (registry === undefined || more.length > 0) throw refuse(`accepts 1 arg, received ${parsed.words.length}`);
  const username = values.text('username') ?? '';
  const given = values.text('password') ?? '';
  const fromStdin = values.bool('password-stdin');
  if (username === '') throw refuse('username required');
  if (given === '' && !fromStdin) throw refuse('a password must be supplied via --password or --password-stdin');
  if (given !== '' && fromStdin) throw refuse('only one of --password or --password-stdin may be specified');
  const secret = fromStdin
    ? Buffer.from(await collect(io.stdin as AsyncIterable<Uint8Array>, { limit: 1 << 16, what: 'read the password' }))
        .toString()
        .replace(/\r?\n$/, '')
    : given;
  if (secret === '') throw refuse('password is blank');
  const credentials = new Credentials({
    env: withDockerConfig(io.env),
    home: io.home,
    uid: process.getuid?.(),
    random: io.random,
    warn: (message) => log.warn(message),
  });
  await credentials.login(registry, { credential: { username, secret, kind: 'password' } });
}
