import { Option } from 'commander';
import { messageOf } from '../../../base/index.ts';
import { cliError } from '../errors.ts';
import type { Finding, Section } from '../doctor/finding.ts';
import { jsonText } from '../print/table.ts';
import { plural } from '../print/units.ts';
import type { Style } from '../print/style.ts';
import { groundOption } from '../shared-options.ts';
import type { CliCommand, CliContext } from '../command.ts';
import { EXECUTORS, engineFor } from '../settings.ts';
import { ownVersion, versionLine } from '../version.ts';

interface Flags {
  readonly checkStore?: boolean;
  readonly format: 'text' | 'json';
}

export const command: CliCommand = {
  about:
    'Says what this machine offers for builds, and what is lost without the rest. Ends with 0 where builds with RUN work.',
  examples: [
    ['strake doctor', 'ends with 0 where builds with RUN work'],
    ['strake doctor --check-store', 'reads every blob of the store and verifies it'],
  ],
  define(command, run) {
    command
      .option('--check-store', 'verify every blob, layer and image of the store instead')
      .addOption(new Option('--format <format>', 'how it is printed').choices(['text', 'json']).default('text'))
      .addOption(new Option('--executor <name>', 'try this one first').choices(EXECUTORS))
      .addOption(groundOption('where it runs'))
      .option('--mirror <url>', 'where packages would come from')
      .option('--keyring <file>', 'the keys that would verify them')
      .action((flags: Flags) => run(command, (c) => (flags.checkStore ? checkStore(flags, c) : examine(flags, c))));
  },
};

async function examine(flags: Flags, c: CliContext): Promise<number> {
  const { settings, io, signal } = c;
  const { machineSection, toolSection } = await import('../doctor/machine.ts');
  const { sourceSection } = await import('../doctor/sources.ts');
  const { stepSection } = await import('../doctor/steps.ts');
  const { storeSection } = await import('../doctor/store.ts');
  const sections: Section[] = [await machineSection({ signal })];
  let works = false;
  try {
    await using engine = await engineFor(settings);
    const steps = await stepSection(engine, { root: settings.root, io, signal });
    works = steps.findings.some(({ name, state }) => name === 'RUN' && state === 'ok');
    sections.push(
      steps,
      toolSection(),
      await sourceSection(settings, io, { signal }),
      await storeSection(engine, { signal }),
    );
  } catch (error) {
    if (signal.aborted) throw error;
    sections.push({
      title: 'Store',
      findings: [
        {
          name: 'folder',
          state: 'broken',
          text: messageOf(error),
          lost: 'Nothing works without a store.',
          remedy: 'Name a folder you may write to with --root or STRAKE_ROOT.',
        },
      ],
    });
  }
  if (flags.format === 'json') io.stdout.write(jsonText({ ...ownVersion(), buildsWithRun: works, sections }));
  else {
    io.stdout.write(`${io.outStyle.bold(versionLine())}\n`);
    for (const section of sections) io.stdout.write(sectionText(section, io.outStyle));
    const lacking = sections.flatMap(({ findings }) => findings).filter(({ state }) => state !== 'ok').length;
    io.stdout.write(
      works
        ? `\nBuilds with RUN work here.${lacking > 0 ? ` ${plural(lacking, 'thing')} could be better.` : ''}\n`
        : '\nBuilds with RUN do not work here; builds without it do.\n',
    );
  }
  return works ? 0 : 78;
}

function sectionText({ title, findings }: Section, style: Style): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap((finding) => {
    const indent = ' '.repeat(width + 6);
    return [
      `  ${markOf(finding, style)} ${finding.name.padEnd(width)}  ${finding.text}`,
      ...(finding.lost === undefined
        ? []
        : [style.dim(`${indent}${finding.state === 'ok' ? '' : 'Lost: '}${finding.lost}`)]),
      ...(finding.remedy === undefined ? [] : [`${indent}${style.cyan('help')}: ${finding.remedy}`]),
    ];
  });
  return `\n${style.bold(title)}\n${lines.join('\n')}\n`;
}

function markOf({ state }: Finding, style: Style): string {
  return { ok: style.green('✓'), lacking: style.yellow('!'), broken: style.red('✗') }[state];
}

async function checkStore(flags: Flags, { settings, io, signal }: CliContext): Promise<number> {
  await using engine = await engineFor(settings);
  const problems: { what: string; problem: string }[] = [];
  const live = io.stderr.isTerminal;
  let total = 0;
  const onProgress = (done: number, all: number): void => {
    total = all;
    if (live) io.stderr.write(`\r\x1b[KReading ${engine.store.folder}: ${done} of ${all} blobs`);
  };
  for await (const found of engine.store.check({ onProgress, signal })) {
    problems.push(found);
    if (flags.format === 'text') io.stdout.write(`${live ? '\r\x1b[K' : ''}${found.what}: ${found.problem}\n`);
  }
  if (live) io.stderr.write('\r\x1b[K');
  if (flags.format === 'json') io.stdout.write(jsonText({ blobs: total, problems }));
  else if (problems.length === 0) io.stdout.write(`The store is whole: ${plural(total, 'blob')} read.\n`);
  if (problems.length === 0) return 0;
  throw cliError('STORE_DAMAGED', `check the store "${engine.store.folder}": ${plural(problems.length, 'problem')}`, {
    remedy: 'Remove the images named above and build or pull them again; "strake prune --all" drops the rest.',
  });
}
