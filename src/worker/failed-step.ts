import type { Random, Wait } from '../base/index.ts';
import type { Executor, Process, ProcessIo } from '../exec/index.ts';
import type { Vertex } from '../graph/index.ts';
import type { Mount } from '../tree/index.ts';
import type { FailedStep } from './build-host.ts';
import { StepContainer } from './step-container.ts';

/** Shells that are tried where the step has none of its own, or that is gone. */
const SHELLS: readonly string[] = ['/bin/sh', '/bin/bash', '/usr/bin/sh', '/usr/bin/bash', '/busybox/sh', 'sh', 'bash'];

/** A step as `BuildHost.failed` gets it. `process` is what ran in it, `root` what it ran on: good for as long as these are. */
export function failedStep(
  process: Process,
  o: {
    readonly vertex: Vertex;
    readonly failure: Error;
    readonly executor: Executor;
    readonly root: readonly Mount[];
    readonly connect: NonNullable<ProcessIo['connect']>;
    readonly random: Random;
  },
): FailedStep {
  const { executor, root, connect, random } = o;
  const container = new StepContainer({ executor, root, base: { ...process, id: 'look' }, connect, random });
  const works = async (shell: readonly string[], w: Wait): Promise<boolean> => {
    const silent = { stdout: () => undefined, stderr: () => undefined };
    return (await container.run({ ...process, terminal: undefined, args: [...shell, '-c', ''] }, silent, w)) === 0;
  };
  return {
    id: o.vertex.digest,
    name: o.vertex.label.name,
    failure: o.failure,
    shell: async (w = {}) => {
      const own = shellOf(process.args);
      const tried = new Set<string>();
      for (const shell of [...(own ? [own] : []), ...SHELLS.map((path) => [path])]) {
        const key = JSON.stringify(shell);
        if (!tried.has(key) && (await works(shell, w))) return shell;
        tried.add(key);
      }
      return undefined;
    },
    run: async (wanted, w = {}) => {
      const known = new Set([...process.env, ...(process.secretEnv ?? [])].map(nameOf));
      const env = [...process.env, ...(wanted.env ?? []).filter((entry) => !known.has(nameOf(entry)))];
      return container.run({ ...process, args: wanted.args, env, terminal: wanted.terminal }, wanted, w);
    },
  };
}

/** The shell of a command in shell form (`["/bin/bash", "-eo", "pipefail", "-c", SCRIPT]`), without its options: they are for scripts. */
export function shellOf(args: readonly string[]): readonly string[] | undefined {
  const flag = args.at(-2) ?? '';
  if (args.length < 3 || !/^-(?:\w*c|Command)$/i.test(flag)) return undefined;
  return args.slice(
    0,
    args.findIndex((arg) => arg.startsWith('-')),
  );
}

function nameOf(entry: string): string {
  return entry.slice(0, Math.max(0, entry.indexOf('=')));
}
