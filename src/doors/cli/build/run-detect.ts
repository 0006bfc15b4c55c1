import { join } from 'node:path';
import type { PlanEntry } from '../../../frontend/buildpack/index.ts';
import type { FileSource } from '../../../tree/index.ts';
import { folderSource } from '../../../tree/index.ts';
import { localHost } from '../local-host.ts';
import { secretOf } from '../parse/secret.ts';
import { tableText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { createRenderer, progressMode } from '../progress/create-renderer.ts';
import { markFailure } from '../run-cli.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { openContext } from './context.ts';
import { planBuild, type BuildFlags } from './flags.ts';
import { filesOf, planApp } from './run-build.ts';

/** What detection came to (the frontend's `result.json`). */
interface Answer {
  readonly group: readonly Module[];
  readonly extensions: readonly Module[];
  readonly plan: readonly PlanEntry[];
  readonly runImage: string;
}

interface Module {
  readonly id: string;
  readonly version: string;
  readonly name?: string | undefined;
}

export type DetectFormat = 'text' | 'json' | 'toml';

/** `strake detect`: which buildpacks would build an application, and what they want of each other. Nothing is built. */
export async function runDetect(
  place: string,
  flags: BuildFlags,
  o: { readonly format: DetectFormat; readonly c: CliContext },
): Promise<void> {
  const { c, format } = o;
  const { io, settings, signal } = c;
  const mode = flags.quiet ? 'quiet' : progressMode(flags.progress, io.env);
  const planned = planBuild(flags, { ...io, stdoutIsTerminal: false, insecure: settings.insecure });
  using renderer = createRenderer(mode, io.stderr, {
    clock: io.clock,
    style: io.errStyle,
    env: io.env,
    title: 'Detecting',
  });
  try {
    const scratch = join(settings.root, 'tmp');
    using context = await openContext(place, { io, scratch, signal, withoutDockerfile: true });
    const app = await planApp(flags, { ...c, context, publish: false });
    const secrets = new Map(flags.secret.map((text) => secretOf(text, io)).map(({ id, source }) => [id, source]));
    const owner = { uid: 0, gid: 0 };
    const host = localHost({
      files: new Map<string, FileSource>([
        ...filesOf(context, new Map(), c),
        ...[...app.folders].map(([name, folder]) => [name, folderSource(folder, { owner })] as const),
      ]),
      secrets: new Map([...secrets, ...app.secrets]),
      agents: new Map(),
      sinks: new Map(),
      credentials: lazyCredentials(io),
      env: io.env,
      random: io.random,
    });
    const options = { ...app.options, requestid: 'buildpack.detect' };
    const own = context.isLocal ? context.folder : undefined;
    await using engine = await engineFor({ ...settings, project: own ?? settings.project, ownBases: app.bases });
    let answer: Readonly<Record<string, unknown>> = {};
    const request = { ...planned.request, frontend: 'buildpack', exports: [], options };
    for await (const event of engine.build(request, host, { signal })) {
      renderer.event(event);
      if (event.kind === 'result') answer = event.result.metadata;
    }
    renderer.finish();
    const text = (name: string): string => {
      const value = answer[name];
      return typeof value === 'string' ? value : '';
    };
    if (format === 'toml') io.stdout.write(`# group.toml\n${text('group.toml')}\n# plan.toml\n${text('plan.toml')}`);
    else {
      const found = JSON.parse(text('result.json')) as Answer;
      io.stdout.write(format === 'json' ? `${JSON.stringify(found, undefined, 2)}\n` : textOf(found, c));
    }
  } catch (error) {
    renderer.finish(error);
    markFailure(error, { told: renderer.tellsFailure });
    throw error;
  }
}

function textOf({ group, extensions, plan, runImage }: Answer, { io }: CliContext): string {
  const style = io.outStyle;
  const modules = (title: string, list: readonly Module[]): string =>
    list.length === 0
      ? ''
      : `${tableText(
          [{ title }, { title: 'VERSION' }, { title: 'NAME' }],
          list.map(({ id, version, name }) => [id, version, name ?? '']),
          { style },
        )}\n`;
  const wants = plan.flatMap(({ providers, requires }) =>
    requires.map(({ name, metadata }) => [
      name,
      providers.map(({ id }) => id).join(', '),
      Object.keys(metadata ?? {}).length > 0 ? JSON.stringify(metadata) : '',
    ]),
  );
  const table =
    wants.length === 0
      ? 'The plan is empty: no buildpack wants anything of another.\n'
      : tableText([{ title: 'REQUIRED' }, { title: 'PROVIDED BY' }, { title: 'AS' }], wants, { style });
  return `${modules('EXTENSION', extensions)}${modules('BUILDPACK', group)}${table}\n${style.bold('Run image:')} ${runImage}\n`;
}
