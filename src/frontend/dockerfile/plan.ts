import { CodedError, type Wait } from '../../base/index.ts';
import { formatPlatform } from '../../image/index.ts';
import type { Frontend, FrontendHost, FrontendRequest, Plan, PlannedImage, Warning } from '../index.ts';
import type { DockerfileNode } from './ast.ts';
import { dockerfileError, located } from './errors.ts';
import { readDockerfile, type DockerfileInput } from './input.ts';
import type { Program } from './instruction.ts';
import { programOf } from './instructions.ts';
import { defaultLintConfig, Linter, parseLintConfig, type LintConfig } from './lint.ts';
import { lintProgram, lintWritten } from './lint-program.ts';
import { openMainContext, type MainContext } from './main-context.ts';
import { readOptions, type Options } from './options.ts';
import { Outline } from './outline.ts';
import { parseDockerfile } from './parser.ts';
import { Planner, type PlannerInit } from './planner.ts';
import { asFinding, describeAnswer, lintAnswer, outlineAnswer, targetsAnswer } from './subrequests.ts';
import { commentFor } from './comment-for.ts';
import { foreignFrontend, type ForeignFrontend } from './syntax.ts';
import type { SourceText } from './text.ts';

/** Turns a Dockerfile into a plan, as BuildKit's frontend dockerfile.v0 does (facts 1); a subrequest into an answer alone. */
export const dockerfileFrontend: Frontend = async (request, host, w = {}) => {
  const options = readOptions(request);
  const { subrequest } = options;
  const main = await openMainContext(options, host, w);
  const input = await readDockerfile(host, main, w);
  // Whoever was called by a syntax directive reads the file itself.
  const foreign = request.options['cmdline'] === undefined ? foreignFrontend(input.source, options.syntax) : undefined;
  if (foreign) return forward(foreign, request, { host, ...w });
  const work: Work = { options, main, input, host, wait: w };
  switch (subrequest) {
    case 'frontend.subrequests.describe':
      return answered(describeAnswer());
    case 'frontend.lint':
      return lintOnly(work);
    case 'frontend.targets':
      return answered(targetsAnswer(read(work, () => undefined).program, input.source));
    case 'frontend.outline':
      return outlineOnly(work);
    default:
      return build(work);
  }
};

interface Work {
  readonly options: Options;
  readonly main: MainContext;
  readonly input: DockerfileInput;
  readonly host: FrontendHost;
  readonly wait: Wait;
}

/** The same request to the frontend that the Dockerfile asks for (dockerfile/builder's forwardGateway). */
async function forward(
  { reference, cmdline, place }: ForeignFrontend,
  request: FrontendRequest,
  { host, ...w }: { readonly host: FrontendHost } & Wait,
): Promise<Plan> {
  const options = { ...request.options, cmdline, source: reference };
  try {
    return await host.call('gateway', { ...request, options }, w);
  } catch (error) {
    if (!(error instanceof CodedError) || error.kind === 'cancelled' || error.place) throw error;
    if (place) throw located(error, place);
    const { code, kind, remedy, cause } = error;
    throw new CodedError({
      code,
      kind,
      message: `failed with BUILDKIT_SYNTAX = ${cmdline}: ${error.message}`,
      remedy,
      cause: cause ?? error,
    });
  }
}

async function build(work: Work): Promise<Plan> {
  const { options, host } = work;
  const found = read(work, (warning) => host.warn(warning));
  const results = new Map<string, PlannedImage>();
  const metadata = new Map<string, Uint8Array>();
  for (const platform of options.platforms) {
    const planner = await Planner.open({ ...work, ...found, platform });
    results.set(formatPlatform(platform), await planner.plan());
    if (planner.epoch !== undefined) metadata.set('source.date.epoch', Buffer.from(String(planner.epoch)));
  }
  if (options.multiPlatform) metadata.set('multi.platform', Buffer.from('true'));
  found.lint.finish();
  return { results, metadata };
}

/** Everything that is wrong or could be better, up to the first fault that ends a build. */
async function lintOnly(work: Work): Promise<Plan> {
  const warnings: Warning[] = [];
  const { source } = work.input;
  try {
    const found = read(work, (warning) => warnings.push(warning));
    await lookAt(work, found, { all: true });
    found.lint.finish();
    return answered(lintAnswer({ source, warnings, error: undefined }));
  } catch (error) {
    return answered(lintAnswer({ source, warnings, error: asFinding(error) }));
  }
}

async function outlineOnly(work: Work): Promise<Plan> {
  const outline = new Outline();
  const found = read(work, () => undefined);
  const { target, globals } = await lookAt(work, found, { all: false, outline });
  const stage = found.program.stages.find(({ from }) => from.range === target.range);
  const description = commentFor(target.name, stage?.from.comments ?? []);
  const { source } = work.input;
  return answered(outlineAnswer(outline.collect(target, globals), { name: target.name, description, source }));
}

/** Plans the first platform's image for what comes to light on the way. */
async function lookAt(work: Work, found: Read, look: NonNullable<PlannerInit['look']>): Promise<Planner> {
  const platform = work.options.platforms[0] ?? work.options.buildPlatform;
  const planner = await Planner.open({ ...work, ...found, platform, look });
  await planner.plan();
  return planner;
}

function answered(metadata: ReadonlyMap<string, Uint8Array>): Plan {
  return { results: new Map(), metadata };
}

interface Read {
  readonly file: DockerfileNode;
  readonly program: Program;
  readonly lint: Linter;
}

/** The Dockerfile as typed instructions, with the remarks that need its text only. */
function read({ options, input }: Work, warn: (warning: Warning) => void): Read {
  const { source } = input;
  const file = parseDockerfile(source);
  if (input.lossy) refuseOtherEncodings(file, source);
  const lint = new Linter(options.lint ?? lintConfigOf(file, source), source, warn);
  const program = programOf(file, source, (before) => lintWritten(file, before, lint));
  lintProgram(file, program, lint);
  return { file, program, lint };
}

function lintConfigOf(file: DockerfileNode, source: SourceText): LintConfig {
  const check = file.directives.find((directive) => directive.name === 'check');
  if (check === undefined) return defaultLintConfig;
  try {
    return parseLintConfig(check.value.split(' ')[0] ?? '');
  } catch (error) {
    throw located(error, source.place(check.range));
  }
}

/** Comments may hold anything; an instruction with bytes that are not UTF-8 cannot be carried out as written. */
function refuseOtherEncodings(file: DockerfileNode, source: SourceText): void {
  for (const { original, heredocs, range } of file.instructions) {
    if (!original.includes('\ufffd') && !heredocs.some(({ content }) => content.includes('\ufffd'))) continue;
    throw dockerfileError(
      'DOCKERFILE_NOT_TEXT',
      `read "${source.file}": an instruction holds bytes that are not UTF-8`,
      {
        place: source.place(range),
        remedy: 'Save the Dockerfile as UTF-8, and put other bytes into a file of the build context.',
      },
    );
  }
}
