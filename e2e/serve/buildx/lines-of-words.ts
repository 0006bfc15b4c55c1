import * as alike from './alike.ts';
import type { Line } from './line.ts';
import { build, fails, file, files, FILES, image } from './write-line.ts';

const PRUNE = ['prune', '--all', '--force'];
const nothing = ['-o', 'type=cacheonly'];

/** Questions, and how a build is told of. */
export const asked: readonly Line[] = [
  build('--call check', ['--call', 'check', ...file('bad'), FILES], { code: 1, alike: alike.stdout }),
  build('--call check, as JSON', ['--call', 'check,format=json', ...file('bad'), FILES], {
    code: 1,
    alike: alike.remarks,
  }),
  build('--check of a good file', ['--check', FILES], { alike: alike.stdout }),
  build('--call check of what counts as an error', ['--call', 'check', ...file('bad-error'), FILES], {
    code: 1,
    alike: alike.stdout,
  }),
  fails('remarks that count as errors', /lint violation found for rules: .*MaintainerDeprecated/, [
    ...file('bad-error'),
    FILES,
  ]),
  build('--call outline', ['--call', 'outline', ...file('outlined'), FILES], { alike: alike.stdout }),
  build('--call outline, as JSON', ['--call', 'outline,format=json', ...file('outlined'), FILES], {
    alike: alike.output,
  }),
  build('--call outline of a target', ['--call', 'outline', '--target=base', ...file('outlined'), FILES], {
    alike: alike.stdout,
  }),
  build('--call targets', ['--call', 'targets', ...file('outlined'), FILES], { alike: alike.stdout }),
  build('--call targets, as JSON', ['--call', 'targets,format=json', ...file('outlined'), FILES], {
    alike: alike.output,
  }),
  fails('--call of what there is not', /unsupported (sub)?request "?frontend\.strange/, ['--call', 'strange', FILES]),
  build('--progress=rawjson', ['--no-cache', '--progress=rawjson', ...file('stages'), FILES], { alike: alike.story }),
  build('--progress=rawjson of a failure', ['--progress=rawjson', ...file('fail'), FILES], {
    code: 1,
    alike: alike.story,
  }),
];

const policy = (name: string): Pick<Line, 'env'> => ({
  env: { EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: `HOST/${name}.json` },
});
/** What a policy makes of sources. */
export const policed: readonly Line[] = [
  fails(
    'a source that a policy denies',
    /source "docker-image:\/\/[^"]+\/base:1" denied by policy/,
    [FILES],
    policy('deny'),
  ),
  files('a source that a policy converts', [...file('old'), FILES], policy('convert')),
  image('a base compressed anew', [...file('old'), FILES], {
    ...policy('convert'),
    words: [
      'build',
      '--provenance=false',
      ...file('old'),
      '-o',
      'type=oci,dest=OUT/anew.tar,compression=zstd,compression-level=0,force-compression=true,name=anew',
      FILES,
    ],
    compare: ['oci-archive:OUT/anew.tar'],
  }),
];

/** What others have built, asked for after all was forgotten. */
export const caches: readonly Line[] = [
  build(
    'cache: to a registry and from it',
    ['--cache-from', 'type=registry,ref=REG/cache:1', ...file('stages'), ...nothing, FILES],
    {
      before: [
        ['build', '--cache-to', 'type=registry,ref=REG/cache:1,mode=max', ...file('stages'), ...nothing, FILES],
        PRUNE,
      ],
    },
  ),
  build(
    'cache: the least of it',
    ['--cache-from', 'type=registry,ref=REG/cache:min', ...file('nocache'), ...nothing, FILES],
    {
      before: [
        ['build', '--cache-to', 'type=registry,ref=REG/cache:min,mode=min', ...file('nocache'), ...nothing, FILES],
        PRUNE,
      ],
    },
  ),
  build(
    'cache: to a folder and from it',
    ['--cache-from', 'type=local,src=OUT/cache', ...file('stages'), ...nothing, FILES],
    {
      before: [
        ['build', '--cache-to', 'type=local,dest=OUT/cache,mode=max', ...file('stages'), ...nothing, FILES],
        PRUNE,
      ],
    },
  ),
  build('cache: in the image', ['--cache-from', 'REG/inline:1', ...nothing, FILES], {
    before: [
      ['build', '--cache-to', 'type=inline', '--provenance=false', '--push', '-t', 'REG/inline:1', FILES],
      PRUNE,
    ],
  }),
  build(
    'cache: from what is not there',
    ['--cache-from', 'type=registry,ref=REG/absent:1', ...file('stages'), ...nothing, FILES],
    { before: [PRUNE] },
  ),
];

/** What is said of what was built. */
export const said: readonly Line[] = [
  build(
    'platforms',
    ['--provenance=false', '--platform=linux/amd64,linux/386', ...file('ran'), '--push', '-t', 'REG/m:1', FILES],
    {
      compare: ['docker://REG/m:1'],
    },
  ),
  { name: 'imagetools inspect: an index', words: ['imagetools', 'inspect', 'REG/m:1'], alike: alike.withoutTypes },
  build(
    'metadata file',
    ['--metadata-file', 'OUT/meta.json', '-t', 'REG/x:1', '-o', 'type=oci,dest=OUT/m.tar', FILES],
    {
      alike: alike.metadata,
    },
  ),
  build(
    'metadata file of what is pushed',
    ['--provenance=false', '--metadata-file', 'OUT/meta.json', '-t', 'REG/x:1', '--push', FILES],
    {
      alike: alike.metadata,
    },
  ),
  build(
    'metadata file of platforms, provenance in full',
    [
      '--provenance=mode=max',
      '--platform=linux/amd64,linux/386',
      ...file('platform'),
      '--metadata-file',
      'OUT/meta.json',
      '-t',
      'REG/x:2',
      '--push',
      FILES,
    ],
    {
      alike: alike.metadata,
      env: { BUILDX_METADATA_PROVENANCE: 'max' },
    },
  ),
  build('metadata file with remarks', ['--metadata-file', 'OUT/meta.json', ...nothing, ...file('bad'), FILES], {
    alike: alike.metadata,
    env: { BUILDX_METADATA_WARNINGS: '1' },
  }),
  build('provenance and SBOM', [
    '--provenance=mode=max',
    '--sbom=true',
    ...file('stages'),
    '--push',
    '-t',
    'REG/said:1',
    FILES,
  ]),
  {
    name: 'imagetools inspect: what is said of an image',
    words: ['imagetools', 'inspect', 'REG/said:1'],
    alike: alike.stdoutLines,
  },
  {
    name: 'imagetools inspect: provenance',
    words: ['imagetools', 'inspect', '--format', '{{json .Provenance}}', 'REG/said:1'],
    alike: alike.provenance,
  },
  {
    name: 'imagetools inspect: SBOM',
    words: ['imagetools', 'inspect', '--format', '{{json .SBOM.SPDX.spdxVersion}}', 'REG/said:1'],
    alike: alike.stdout,
  },
  {
    name: 'imagetools inspect: the config',
    words: ['imagetools', 'inspect', '--format', '{{json .Image.Config}}', 'REG/said:1'],
    alike: alike.output,
  },
  {
    name: 'imagetools inspect: as it is',
    words: ['imagetools', 'inspect', '--raw', 'REG/said:1'],
    alike: alike.outputShape,
  },
];

const BAKE = ['-f', 'OUT/bake.hcl', '--allow=fs=*'];
/** Several builds at once. */
export const bakes: readonly Line[] = [
  {
    name: 'bake: several targets, one on another',
    words: ['bake', ...BAKE, '--metadata-file', 'OUT/meta.json'],
    compare: ['dir:OUT/bake-a', 'oci-archive:OUT/bake-b.tar', 'dir:OUT/bake-one', 'dir:OUT/bake-two'],
    alike: alike.metadata,
  },
  {
    name: 'bake: one target, set by words',
    words: ['bake', ...BAKE, '--set', 'b.args.X=set', '--set', 'b.output=type=local,dest=OUT/set', 'b'],
    compare: ['dir:OUT/set'],
  },
  { name: 'bake --print', words: ['bake', ...BAKE, '--print'], alike: alike.output },
  {
    name: 'bake --print with a variable',
    words: ['bake', ...BAKE, '--print', 'a'],
    env: { WORD: 'env' },
    alike: alike.output,
  },
  { name: 'bake --list', words: ['bake', ...BAKE, '--list=targets'], alike: alike.stdout },
  { name: 'bake --call', words: ['bake', ...BAKE, '--call=targets', 'b'], alike: alike.stdout },
  { name: 'bake --check', words: ['bake', ...BAKE, '--check', 'b'], alike: alike.stdout },
  {
    name: 'bake fails: one of its targets',
    words: ['bake', ...BAKE, 'bad'],
    code: 1,
    says: /exit code: 3$/,
    excerpt: 'same',
  },
  {
    name: 'bake fails: a target that is not there',
    words: ['bake', ...BAKE, 'nothere'],
    code: 1,
    says: /nothere/,
  },
];

/** What is kept of builds; the last lines forget it. */
export const kept: readonly Line[] = [
  { name: 'du', words: ['du'], alike: alike.heading },
  { name: 'du --verbose', words: ['du', '--verbose'], alike: alike.strangeLabels },
  { name: 'du with filters', words: ['du', '--filter', 'type=regular', '--filter', 'inuse=0'], alike: alike.heading },
  { name: 'prune of what is old', words: ['prune', '--force', '--filter', 'type=regular', '--filter', 'until=1000h'] },
  { name: 'history ls', words: ['history', 'ls'], alike: alike.heading },
  { name: 'history ls as JSON', words: ['history', 'ls', '--format=json'] },
  {
    name: 'history inspect',
    words: ['history', 'inspect'],
    before: [['build', '--no-cache', ...file('stages'), FILES]],
    alike: alike.labels,
  },
  {
    name: 'history inspect as JSON',
    words: ['history', 'inspect', '--format=json'],
    before: [['build', ...file('stages'), '-o', 'type=oci,dest=OUT/history.tar', FILES]],
    alike: alike.record,
  },
  {
    name: 'history logs',
    words: ['history', 'logs', '--progress=plain'],
    before: [['build', '--no-cache', ...file('stages'), FILES]],
    alike: alike.steps,
  },
  {
    name: 'history export',
    words: ['history', 'export', '-o', 'OUT/last.dockerbuild'],
    before: [['build', ...file('stages'), '-o', 'type=oci,dest=OUT/exported.tar', FILES]],
  },
  { name: 'history rm', words: ['history', 'rm', '--all'] },
  { name: 'prune', words: PRUNE, says: /Total:\s+[1-9]/, alike: alike.heading },
  { name: 'du of what is left', words: ['du'], alike: alike.heading },
];
