import { writeSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  collect,
  messageOf,
  sys,
  systemClock,
  systemRandom,
  tempFolder,
  type Random,
  type Wait,
} from '../../../base/index.ts';
import { probeExecutors, type ExecutorProbe } from '../../../exec/index.ts';
import { findIdMaps, startInNamespaces, type IdMaps } from '../../../worker/index.ts';
import { keeperCommand } from '../settings.ts';

const ROOTLESS: Readonly<Record<IdMaps['kind'], 'range' | 'single' | undefined>> = {
  none: undefined,
  range: 'range',
  single: 'single',
};

/** What a process started with the word `__probe` does: tries every executor in the namespaces that it is in and answers on file descriptor 3. */
export async function probeMain([stateFolder = '', kind = 'none']: readonly string[]): Promise<void> {
  let answer: unknown;
  try {
    sys.unshareMounts();
    const rootless = ROOTLESS[kind as IdMaps['kind']];
    answer = { probes: await probeExecutors({ stateFolder, rootless, random: systemRandom, clock: systemClock }) };
  } catch (error) {
    answer = { error: messageOf(error) };
  }
  writeSync(3, JSON.stringify(answer));
}

/** Tries every executor as a build's steps would use it: in a process of its own, as root of a user namespace for an ordinary user. Gives the reason when that cannot be. */
export async function probeHere(
  o: { readonly root: string; readonly random: Random } & Wait,
): Promise<{ readonly probes: readonly ExecutorProbe[]; readonly reason?: string | undefined }> {
  const scratch = join(o.root, 'tmp');
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  using temp = tempFolder(scratch, o.random);
  let reason = '';
  for (const maps of mapsHere()) {
    try {
      return { probes: await probeIn(maps, { ...o, stateFolder: temp.path }) };
    } catch (error) {
      reason ||= messageOf(error);
    }
  }
  return { probes: [], reason };
}

function mapsHere(): IdMaps[] {
  if (process.geteuid?.() === 0) return [{ kind: 'none' }, { kind: 'single' }];
  const found = findIdMaps();
  return 'reason' in found ? [{ kind: 'single' }] : [found, { kind: 'single' }];
}

async function probeIn(maps: IdMaps, o: { readonly stateFolder: string } & Wait): Promise<readonly ExecutorProbe[]> {
  const { command, args } = keeperCommand('__probe');
  const env: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'USER', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  const { child, stream, said } = await startInNamespaces(
    { command, args: [...args, o.stateFolder, maps.kind] },
    { maps, env, signal: o.signal },
  );
  const stop = (): void => void child.kill('SIGKILL');
  o.signal?.addEventListener('abort', stop, { once: true });
  try {
    const text = Buffer.from(await collect(stream, { limit: 1 << 20 })).toString();
    const answer =
      text === ''
        ? { error: said() || 'it ended without a word' }
        : (JSON.parse(text) as { probes?: ExecutorProbe[]; error?: string });
    if ('probes' in answer && answer.probes) return answer.probes;
    throw new Error(answer.error);
  } finally {
    o.signal?.removeEventListener('abort', stop);
    child.kill('SIGKILL');
  }
}
