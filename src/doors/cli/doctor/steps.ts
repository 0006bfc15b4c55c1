import { messageOf, type Wait } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import type { Io } from '../io.ts';
import type { Finding, Section } from './finding.ts';
import { networkFinding } from './machine.ts';
import { probeHere } from './probe.ts';

/** What RUN would get here, and every way of running steps on its own. */
export async function stepSection(
  engine: Engine,
  o: { readonly root: string; readonly io: Io } & Wait,
): Promise<Section> {
  const findings: Finding[] = [await groundFinding(engine, o)];
  const { probes, reason } = await probeHere({ root: o.root, random: o.io.random, signal: o.signal });
  for (const { name, works, version, reason: why, report } of probes) {
    const text = [version, works ? 'works' : why].filter(Boolean).join(', ');
    findings.push({
      name,
      state: works ? 'ok' : 'lacking',
      text: report
        ? `${text}; ids ${report.ids}, seccomp ${report.seccomp ? 'yes' : 'no'}, network ${report.network}`
        : text,
      lost: works ? report?.lacks.join(' ') || undefined : LOST[name],
      remedy: works || why !== 'not installed' ? undefined : `Install ${name}.`,
    });
  }
  if (reason !== undefined && probes.length === 0)
    findings.push({ name: 'executors', state: 'broken', text: reason, lost: 'No step can run.' });
  findings.push(networkFinding(probes.find(({ works }) => works)?.report?.network));
  return { title: 'Running steps', findings };
}

const LOST: Readonly<Record<string, string>> = {
  crun: 'Steps start a little slower by runc.',
  runc: 'Nothing, where crun works.',
  builtin: 'Nothing, where crun or runc works.',
};

async function groundFinding(engine: Engine, w: Wait): Promise<Finding> {
  try {
    const { snapshotter, executor, lacks } = await engine.ground(w);
    return {
      name: 'RUN',
      state: 'ok',
      text: `by ${executor} on ${snapshotter} snapshots`,
      lost: lacks.join(' ') || undefined,
    };
  } catch (error) {
    return {
      name: 'RUN',
      state: 'broken',
      text: messageOf(error),
      lost: 'Only builds without RUN work.',
      remedy: 'See what is marked below; or run as root.',
    };
  }
}
