import type { Command } from 'commander';
import type * as configure from '../buildpack/configure.ts';
import { collectValues } from '../parse/values.ts';
import type { CliCommand, CliContext, RunAction } from '../command.ts';

type Action = typeof configure;

/** A command whose work is in `configure.ts`, loaded when it is called. */
function act(command: Command, run: RunAction, work: (actions: Action, c: CliContext, args: string[]) => void): void {
  command.action((...given: unknown[]) =>
    run(command, async (c) =>
      work(
        await import('../buildpack/configure.ts'),
        c,
        given.filter((one) => typeof one === 'string'),
      ),
    ),
  );
}

export const command: CliCommand = {
  about:
    'Shows and changes what is set for building with buildpacks, in the file that pack reads where PACK_HOME names its folder.',
  examples: [
    ['strake config default-builder registry.example/builder', 'the builder that is used where none is named'],
    ['strake config registries add mine /srv/buildpacks --type folder', 'a registry of buildpacks, as a folder'],
    ['strake config run-image-mirrors add run -m registry.example/run', 'where a run image can be had, too'],
  ],
  define(command, run) {
    const value = (name: string, o: { summary: string; value: string; about: string }): void => {
      const own = command
        .command(name)
        .summary(o.summary)
        .description(o.about)
        .argument(`[${o.value}]`, 'the new one (default: show it)')
        .option('-u, --unset', 'forget it');
      act(own, run, (actions, c, [text]) =>
        actions.value(name, text, { ...c, unset: own.opts<{ unset?: boolean }>().unset }),
      );
    };
    value('default-builder', {
      summary: 'the builder where none is named',
      value: 'image',
      about: 'Shows or sets the builder that is used where none is named.',
    });
    value('experimental', {
      summary: 'whether what is new in pack is on',
      value: 'bool',
      about: 'Shows or sets "experimental", which pack asks for. strake does not: all of it is always on.',
    });
    value('lifecycle-image', {
      summary: "pack's image of the lifecycle",
      value: 'image',
      about: 'Shows or sets the image that pack takes the lifecycle from. strake is the lifecycle itself.',
    });
    value('pull-policy', {
      summary: 'when images are fetched again',
      value: 'policy',
      about:
        'Shows or sets when images that are in the local store are fetched all the same: always, never or if-not-present.',
    });
    const registries = group(command, 'registries', 'where buildpacks are looked up by their name');
    const add = registries
      .command('add')
      .summary('add one')
      .description('Adds a registry of buildpacks: a git repository, a folder, or plain files over HTTP.')
      .argument('<name>', 'what it is called')
      .argument('<url>', 'its repository, folder or address')
      .option('--type <type>', 'git, github, folder or http', 'github')
      .option('--default', 'it is asked first');
    act(add, run, (actions, c, [name = '', url = '']) =>
      actions.addRegistry({ ...add.opts<{ type?: string; default?: boolean }>(), name, url }, c),
    );
    const remove = registries
      .command('remove')
      .summary('remove one')
      .description('Removes a registry of buildpacks.')
      .argument('<name>', 'which one');
    act(remove, run, (actions, c, [name = '']) => actions.removeRegistry(name, c));
    const shown = registries
      .command('list')
      .summary('list them')
      .description('Lists the registries of buildpacks; the default one is marked.');
    act(shown, run, (actions, c) => actions.listRegistries(c));
    const first = registries
      .command('default')
      .summary('which is asked first')
      .description('Shows or sets the registry that is asked first.')
      .argument('[name]', 'the new one (default: show it)')
      .option('-u, --unset', 'the official one again');
    act(first, run, (actions, c, [name]) =>
      actions.defaultRegistry(name, { ...c, unset: first.opts<{ unset?: boolean }>().unset }),
    );
    mirrors(command, run, {
      name: 'registry-mirrors',
      what: 'registry',
      flag: '-m, --mirror <host>',
      about: 'hosts that images are fetched from in place of a registry; "*" is every registry',
    });
    mirrors(command, run, {
      name: 'run-image-mirrors',
      what: 'image',
      flag: '-m, --mirror <image>',
      about: 'where run images can be had, too',
    });
    const trusted = group(command, 'trusted-builders', 'builders whose programs are trusted');
    for (const [name, summary] of [
      ['add', 'trust one'],
      ['remove', 'trust one no longer'],
    ] as const) {
      const own = trusted
        .command(name)
        .summary(summary)
        .description(`${summary.replace(/^t/, 'T')}.`)
        .argument('<builder>', 'its name; without a tag all of its tags');
      act(own, run, (actions, c, [builder = '']) => actions.trust(builder, { ...c, trusted: name === 'add' }));
    }
    const list = trusted.command('list').summary('list them').description('Lists the builders that are trusted.');
    act(list, run, (actions, c) => actions.listTrusted(c));
  },
};

function group(command: Command, name: string, about: string): Command {
  const sentence = `${about.slice(0, 1).toUpperCase()}${about.slice(1)}.`;
  return command.command(name).summary(about).description(sentence);
}

function mirrors(
  command: Command,
  run: RunAction,
  o: { name: 'registry-mirrors' | 'run-image-mirrors'; what: string; flag: string; about: string },
): void {
  const own = group(command, o.name, o.about);
  const add = own
    .command('add')
    .summary('add mirrors')
    .description(`Adds mirrors of ${o.what === 'image' ? 'a run image' : 'a registry'}.`)
    .argument(`<${o.what}>`, 'of what')
    .option(o.flag, 'a mirror; may be given several times', collectValues, []);
  act(add, run, (actions, c, [of = '']) =>
    actions.addMirrors(o.name, of, { ...c, mirrors: add.opts<{ mirror: string[] }>().mirror }),
  );
  const remove = own
    .command('remove')
    .summary('remove mirrors')
    .description('Removes all mirrors of one.')
    .argument(`<${o.what}>`, 'of what');
  act(remove, run, (actions, c, [of = '']) => actions.removeMirrors(o.name, of, c));
  const list = own.command('list').summary('list them').description('Lists them.');
  act(list, run, (actions, c) => actions.listMirrors(o.name, c));
}
