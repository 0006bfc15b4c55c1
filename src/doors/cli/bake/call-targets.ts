import { targetJson, type Resolved, type Target } from '../../../bake/index.ts';
import { callOf, type Call } from '../check/call.ts';
import { runCall } from '../check/run-call.ts';
import type { CliContext } from '../command.ts';
import { TargetBuild } from './target-build.ts';

/** Asks about the Dockerfiles of targets (`call`, `--check`) and prints the answers as buildx does: one after the other, or as one document. Ends with the first status that is none of success. */
export async function callTargets(
  targets: readonly Target[],
  o: { readonly resolved: Resolved; readonly call: Call | undefined; readonly c: CliContext },
): Promise<number> {
  const { resolved, c } = o;
  const { stdout } = c.io;
  const answers: Record<string, Record<string, unknown>> = {};
  const json = o.call?.format === 'json';
  let status = 0;
  for (const [at, target] of targets.entries()) {
    const own = callOf({ call: target.call === 'lint' ? 'check' : target.call });
    if (!own) continue;
    const call = {
      ...own,
      format: o.call?.format ?? own.format,
      ignoreStatus: o.call?.ignoreStatus ?? own.ignoreStatus,
    };
    if (!json)
      stdout.write(
        `${at > 0 ? '\n' : ''}${target.name}\n${target.description === undefined ? '' : `${target.description}\n`}\n`,
      );
    let text = '';
    const captured = json ? { ...stdout, isTerminal: false, write: (part: string) => (text += part) } : stdout;
    using build = await TargetBuild.open(standIns(target), {
      c,
      offered: { files: new Map(), blobs: new Map() },
      quiet: true,
    });
    const code = await runCall(target.context ?? '.', build.flags, {
      call,
      c: { ...c, io: { ...c.io, stdout: captured } },
    });
    status ||= code;
    const name = call.request === 'frontend.lint' ? 'check' : call.request.replace(/^frontend\./, '');
    answers[target.name] = { [name]: json ? (JSON.parse(text) as unknown) : undefined };
  }
  if (json) {
    const group = Object.fromEntries(
      [...resolved.groups].map(([name, { description, targets: members }]) => [
        name,
        { description, targets: members },
      ]),
    );
    const target = Object.fromEntries(
      [...resolved.targets].map(([name, one]) => [name, { build: targetJson(one), ...answers[name] }]),
    );
    stdout.write(`${JSON.stringify({ group, target }, undefined, 2)}\n`);
  }
  return status;
}

/** A question needs no other target to be built: contexts that are targets are taken for empty images. */
function standIns(target: Target): Target {
  const contexts = [...(target.contexts ?? [])].map(
    ([name, value]) => [name, value.startsWith('target:') ? 'docker-image://scratch' : value] as const,
  );
  return { ...target, contexts: new Map(contexts), secret: [], ssh: [], output: [] };
}
