import { statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { BuildEvent } from '../../../engine/index.ts';
import { namedFolder, openContext, type BuildContext } from '../build/context.ts';
import { planBuild, type BuildFlags } from '../build/flags.ts';
import { namedContexts } from '../build/named-contexts.ts';
import { filesOf } from '../build/run-build.ts';
import { localHost } from '../local-host.ts';
import { agentOf, secretOf } from '../parse/secret.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { ownVersion } from '../version.ts';
import type { Call } from './call.ts';
import { headline, type LintLocation, type LintReport } from './lint-report.ts';
import { sarifOf } from './sarif.ts';

/** Asks the frontend about a Dockerfile and prints the answer as buildx does; ends with the answer's status. */
export async function runCall(place: string, flags: BuildFlags, o: { call: Call; c: CliContext }): Promise<number> {
  const { call, c } = o;
  const { io, settings, signal } = c;
  const planned = planBuild(flags, { ...io, stdoutIsTerminal: false, insecure: settings.insecure });
  const at = dockerfileIn(place, flags, io.cwd);
  using context = await openContext(at.place, { io, scratch: join(settings.root, 'tmp'), signal, file: at.file });
  const contexts = await namedContexts(flags, (text) => namedFolder(text, io));
  const host = localHost({
    files: filesOf(context, contexts.folders, c),
    secrets: new Map(flags.secret.map((text) => secretOf(text, io)).map(({ id, source }) => [id, source])),
    agents: new Map(flags.ssh.map((text) => agentOf(text, io)).map(({ id, source }) => [id, source])),
    sinks: new Map(),
    blobs: contexts.layouts,
    credentials: lazyCredentials(io),
    env: io.env,
    random: io.random,
  });
  const request = {
    ...planned.request,
    exports: [],
    options: {
      ...planned.request.options,
      ...contexts.options,
      ...context.options,
      requestid: call.request,
    },
  };
  const own = context.isLocal ? context.folder : undefined;
  await using engine = await engineFor({ ...settings, project: own ?? settings.project });
  let answer: Readonly<Record<string, unknown>> = {};
  for await (const event of engine.build(request, host, { signal })) {
    if (event.kind === 'warning') io.stderr.write(remark(event, io.errStyle.yellow('warning')));
    if (event.kind === 'result') answer = event.result.metadata;
  }
  const text = (key: string): string => (typeof answer[key] === 'string' ? answer[key] : '');
  if (call.format === 'json') io.stdout.write(`${text('result.json')}\n`);
  else if (call.request === 'frontend.lint')
    printLint(JSON.parse(text('result.json')) as LintReport, text('result.txt'), { call, c, context });
  else io.stdout.write(text('result.txt'));
  return call.ignoreStatus ? 0 : Number(text('result.statuscode')) || 0;
}

/** The place may be a Dockerfile itself. */
function dockerfileIn(
  place: string,
  { file }: BuildFlags,
  cwd: string,
): { readonly place: string; readonly file: string | undefined } {
  const path = resolve(cwd, place);
  if (place === '-' || file !== undefined || !isFile(path)) return { place, file };
  return { place: dirname(path), file: join(dirname(path), basename(path)) };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function remark({ warning }: BuildEvent & { readonly kind: 'warning' }, word: string): string {
  const { message, place } = warning;
  return `${word}: ${place === undefined ? '' : `${place.file}:${place.line}: `}${message}\n`;
}

function printLint(
  report: LintReport,
  text: string,
  { call, c, context }: { call: Call; c: CliContext; context: BuildContext },
): void {
  const { io } = c;
  if (call.format === 'sarif') {
    const { dockerfile, isLocal, options } = context;
    const uri =
      dockerfile && isLocal
        ? relative(io.cwd, join(dockerfile.folder, dockerfile.name))
        : (options['filename'] ?? 'Dockerfile');
    io.stdout.write(`${JSON.stringify(sarifOf(report, { uri, version: ownVersion().version }), undefined, 2)}\n`);
    return;
  }
  io.stdout.write(headline(report) + text);
  const { buildError } = report;
  if (buildError === undefined) return;
  const { message, remedy, location } = buildError;
  const [range] = location.ranges ?? [];
  const lines = sourceLines(report, range);
  io.stderr.write(`${text === '' ? '' : '\n'}${io.errStyle.red('error')}: ${message}\n${lines}`);
  if (remedy !== undefined) io.stderr.write(`${io.errStyle.cyan('help')}: ${remedy}\n`);
}

/** The lines of a range, with their numbers. */
function sourceLines({ sources }: LintReport, range: NonNullable<LintLocation['ranges']>[number] | undefined): string {
  const [source] = sources;
  if (range === undefined || source === undefined) return '';
  const lines = Buffer.from(source.data, 'base64').toString().split('\n');
  const { start, end } = range;
  const shown = lines.slice(start.line - 1, end.line).map((line, at) => {
    const number = String(start.line + at).padStart(3);
    return ` ${number} | >>> ${line.trimEnd()}\n`;
  });
  return `${source.filename}:${start.line}\n${shown.join('')}`;
}
