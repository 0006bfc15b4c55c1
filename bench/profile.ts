/** Where the time of one build goes, from strake's own events. */
import { spawnSync } from 'node:child_process';
import type { Command } from './measure.ts';

interface Event {
  readonly kind: string;
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  /** Milliseconds since 1970. */
  readonly at?: number | undefined;
}

/** Runs the build with `--progress=json` and lists: start to first event, each step from start to end, last event to exit. */
export function profile({ argv, env }: Command): string {
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(argv[0]!, [...argv.slice(1), '--progress=json'], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 256 * 1024 * 1024,
  });
  const ended = Date.now();
  if (status !== 0) return `no profile: ${stderr}`;
  const events = `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event);
  const times = events.map((event) => event.at).filter((at) => at !== undefined);
  if (times.length === 0) return 'no profile: no events were told';
  const names = new Map<string, string>();
  const begun = new Map<string, number>();
  const lines = [row(started, Math.min(...times), 'start to first event')];
  for (const { kind, id, name, at } of events) {
    if (id === undefined) continue;
    if (kind === 'vertex') names.set(id, name ?? id);
    else if (kind === 'started') begun.set(id, at!);
    else if (kind === 'cached') lines.push(row(at!, at!, `${names.get(id)} (cached)`));
    else if (kind === 'completed' && begun.has(id)) lines.push(row(begun.get(id)!, at!, names.get(id) ?? id));
  }
  return [...lines, row(Math.max(...times), ended, 'last event to exit'), row(started, ended, 'all')].join('\n');

  function row(from: number, to: number, what: string): string {
    return `${String(from - started).padStart(7)} ms  +${String(to - from).padStart(6)} ms  ${what}`;
  }
}
