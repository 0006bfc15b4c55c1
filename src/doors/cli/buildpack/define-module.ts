import { Option, type Command } from 'commander';
import { collectValues } from '../parse/values.ts';
import { registryOptions } from '../shared-options.ts';
import type { CliCommand, RunAction } from '../command.ts';
import { makeOptions } from './flags.ts';
import type { InspectFlags } from './inspect-module.ts';
import type { ServeFlags } from '../registry-site/serve-registry.ts';
import type { NewFlags } from './new-module.ts';
import { outputOption } from './output-option.ts';
import type { PackageFlags } from './package-module.ts';

type Kind = 'buildpack' | 'extension';

/** The commands that buildpacks and extensions have in common. What they do is loaded when one is called. */
export function moduleCommands(kind: Kind): CliCommand['define'] {
  const a = kind === 'buildpack' ? 'a buildpack' : 'an extension';
  return (command, run) => {
    defineNew(command, run, { kind, a });
    definePackage(command, run, { kind, a });
    defineInspect(command, run, { kind, a });
    definePull(command, run, { kind, a });
    if (kind === 'buildpack') {
      definePublish(command, run);
      defineRegistry(command, run);
    }
  };
}

interface Of {
  readonly kind: Kind;
  /** `a buildpack`, `an extension`. */
  readonly a: string;
}

function defineNew(command: Command, run: RunAction, { kind, a }: Of): void {
  const own = command
    .command('new')
    .summary(`begin ${a}`)
    .description(`Writes the files that ${a} begins with. What is there already stays.`)
    .argument('<id>', 'its id, as acme/java')
    .option('-a, --api <version>', 'its Buildpack API', kind === 'buildpack' ? '0.10' : '0.12')
    .option('-p, --path <folder>', 'where it goes (default: the last part of the id)')
    .option('-V, --version <version>', 'its version', '1.0.0');
  if (kind === 'buildpack')
    own
      .option('-t, --targets <target>', 'what it is for: os[/arch][/variant][:distro@version]', collectValues, [])
      .option('-s, --stacks <id>', 'a stack that it is for; targets took their place', collectValues, []);
  own.action((id: string, flags: NewFlags) =>
    run(own, async (c) => (await import('./new-module.ts')).newModule(id, flags, { ...c, kind })),
  );
}

function definePackage(command: Command, run: RunAction, { kind, a }: Of): void {
  const own = makeOptions(
    registryOptions(command.command('package'))
      .summary(`make a package of ${a}`)
      .description(
        `Packages ${a}${kind === 'buildpack' ? ', with those that its order names,' : ''} as an image or a .cnb file. The same content gives the same bytes.`,
      )
      .argument('<name>', 'the name of the image (or oci:FOLDER), or the path of the .cnb file'),
    { what: kind, file: 'package.toml' },
  )
    .addOption(new Option('-f, --format <format>', 'what is made').choices(['image', 'file']).default('image'))
    .option('-p, --path <folder>', `the ${kind}, where no package.toml says it (default: this folder)`);
  if (kind === 'buildpack')
    own
      .option('--flatten', 'put all buildpacks into one layer')
      .option('-e, --flatten-exclude <id@version>', 'one that keeps a layer of its own', collectValues, []);
  own.action((name: string, flags: PackageFlags) =>
    run(own, async (c) => (await import('./package-module.ts')).packageModule(name, flags, { ...c, kind })),
  );
}

function defineInspect(command: Command, run: RunAction, { kind, a }: Of): void {
  const own = outputOption(
    registryOptions(command.command('inspect'))
      .summary(`show what ${a} is`)
      .description(
        'Shows what a package, a folder, an archive or an entry of a registry holds. Of an image no layer is read.',
      )
      .argument(
        '<name>',
        'an image, a folder, a .tgz or .cnb file, a URL, or urn:cnb:registry:NAMESPACE/NAME[@VERSION]',
      )
      .option('-t, --target <target>', 'of an image for several', collectValues, []),
  );
  if (kind === 'buildpack')
    own
      .option('-d, --depth <levels>', 'how deep orders are shown (default: all)')
      .option('-r, --buildpack-registry <name>', 'where buildpacks are looked up by their name')
      .option('-v, --verbose', 'also show the mixins of stacks');
  own.action((name: string, flags: InspectFlags) =>
    run(own, async (c) => (await import('./inspect-module.ts')).inspectModule(name, flags, { ...c, kind })),
  );
}

function definePull(command: Command, run: RunAction, { kind, a }: Of): void {
  const own = registryOptions(command.command('pull'))
    .summary(`bring ${a} into the local store`)
    .description(
      'Brings the package that a registry of images or of buildpacks has into the local store, for all platforms.',
    )
    .argument('<name>', 'docker://IMAGE, urn:cnb:registry:NAMESPACE/NAME[@VERSION], or either without its scheme')
    .option('-r, --buildpack-registry <name>', 'where buildpacks are looked up by their name')
    .option('-q, --quiet', 'show no progress');
  own.action((name: string, flags: { readonly buildpackRegistry?: string; readonly quiet?: boolean }) =>
    run(own, async (c) => (await import('./pull-module.ts')).pullModule(name, flags, { ...c, kind })),
  );
}

function definePublish(command: Command, run: RunAction): void {
  const registry = [
    '-r, --buildpack-registry <name>',
    'the registry (default: that of "strake config registries default")',
  ] as const;
  const token = ['--token-file <file>', 'the token, for a registry that is served over HTTP'] as const;
  const register = registryOptions(command.command('register'))
    .summary('tell a registry of a buildpack')
    .description(
      'Tells a registry of buildpacks of a package that is in a registry of images: in its folder, or by a commit that is pushed; for one on GitHub it prints the page to open.',
    )
    .argument('<image>', 'the package')
    .option(...registry)
    .option(...token);
  register.action((image: string, flags: { readonly buildpackRegistry?: string; readonly tokenFile?: string }) =>
    run(register, async (c) => (await import('./publish-module.ts')).registerModule(image, flags, c)),
  );
  const search = command
    .command('search')
    .summary('look for buildpacks in a registry')
    .description(
      'Lists the buildpacks of a registry whose names hold a text, with the newest version that is not yanked.',
    )
    .argument('[text]', 'a part of the name (default: all)', '')
    .option(...registry)
    .addOption(new Option('--format <format>', 'how the list is printed').choices(['table', 'json']).default('table'));
  search.action((text: string, flags: { readonly buildpackRegistry?: string; readonly format: 'table' | 'json' }) =>
    run(search, async (c) => (await import('./search-modules.ts')).searchModules(text, flags, c)),
  );
  const yank = command
    .command('yank')
    .summary('take a version back')
    .description('Takes a version back: only who names it gets it.')
    .argument('<id@version>', 'which one')
    .option(...registry)
    .option(...token)
    .option('-u, --undo', 'give it back');
  yank.action(
    (
      name: string,
      flags: { readonly buildpackRegistry?: string; readonly tokenFile?: string; readonly undo?: boolean },
    ) => run(yank, async (c) => (await import('./publish-module.ts')).yankModule(name, flags, c)),
  );
}

function defineRegistry(command: Command, run: RunAction): void {
  const group = command
    .command('registry')
    .summary('serve registries of buildpacks')
    .description('What is done with registries of buildpacks as a whole.');
  const own = registryOptions(group.command('serve'))
    .summary('serve registries over HTTP, with pages to search in')
    .description(
      'Serves the indexes of registries over HTTP: for builds (as a registry of type http), for programs (JSON) and for people (pages to search in). It is brought up to date from time to time, and only read unless --allow-register.',
    )
    .argument(
      '[registry...]',
      'names of registries that are configured, folders, repositories or addresses, also NAME=PLACE (default: those that builds ask)',
    )
    .option('--listen <host:port>', 'where it listens', '127.0.0.1:8080')
    .option('--public-url <url>', 'where it is from outside, where something stands before it')
    .option('--tls-cert <file>', 'a certificate with its chain, as PEM; read again when it changes')
    .option('--tls-key <file>', 'its key')
    .option('--refresh <time>', 'how often the indexes are read again', '30s')
    .option('--allow-register', 'let who has a token register and yank in an index that is a folder')
    .option('--token-file <file>', 'the tokens, one in each line')
    .option('--no-details', 'do not read from images what they say of themselves');
  own.action((places: readonly string[], flags: ServeFlags) =>
    run(own, async (c) => (await import('../registry-site/serve-registry.ts')).serveRegistry(places, flags, c)),
  );
}
