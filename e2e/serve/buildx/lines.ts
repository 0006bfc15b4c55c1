import * as alike from './alike.ts';
import type { Line } from './line.ts';

const FILES = 'HOST/context';
const file = (name: string): string[] => ['-f', `HOST/${name}.Dockerfile`];
/** Into a folder of the side's own, to be compared. */
const local = (name: string): string[] => ['-o', `type=local,dest=OUT/${name}`];

type More = Partial<Line>;
const build = (name: string, words: readonly string[], more: More = {}): Line => ({
  name,
  words: ['build', ...words],
  alike: alike.steps,
  ...more,
});
/** A build whose files are compared. */
const files = (name: string, words: readonly string[], more: More = {}): Line => {
  const folder = name.replaceAll(/\W+/g, '-');
  return build(name, [...local(folder), ...words], { compare: [`dir:OUT/${folder}`], ...more });
};
/** A build whose image is compared. */
const image = (name: string, words: readonly string[], more: More = {}): Line => {
  const archive = `OUT/${name.replaceAll(/\W+/g, '-')}.tar`;
  return build(name, ['--provenance=false', '-o', `type=oci,dest=${archive}`, ...words], {
    compare: [`oci-archive:${archive}`],
    ...more,
  });
};
/** A build that ends with the same code, the same excerpt of the file and last words of the same kind. */
const fails = (name: string, says: RegExp, words: readonly string[], more: More = {}): Line => ({
  name: `fails: ${name}`,
  words: ['build', ...words],
  code: 1,
  says,
  excerpt: 'same',
  ...more,
});
const OLD = 'the frontend of docker 28 does not know it yet';

const contexts: readonly Line[] = [
  image('context: folder', [FILES]),
  files('context: tar from stdin', ['-'], { stdin: 'HOST/context.tar' }),
  files('context: compressed tar from stdin', ['-'], { stdin: 'HOST/context.tar.gz' }),
  files('context: Dockerfile from stdin, with a folder', ['-f', '-', FILES], { stdin: 'HOST/stages.Dockerfile' }),
  files('context: Dockerfile alone from stdin', ['-'], { stdin: 'HOST/nocache.Dockerfile' }),
  files('context: git', ['GIT/repo.git']),
  files('context: git, a folder of a tag', ['GIT/repo.git#v1:folder']),
  files('context: git, a commit', ['GIT/repo.git#COMMIT']),
  fails('git without that branch', /repository does not contain ref "?nothere/, ['GIT/repo.git#nothere']),
  files('context: an archive from the web', ['WEB/context.tar.gz']),
  files('context: a Dockerfile from the web', ['WEB/Dockerfile']),
  files('contexts by name: folder and image', [
    '--build-context',
    'other=HOST/other',
    '--build-context',
    'app=docker-image://REG/base:1',
    ...file('named'),
    FILES,
  ]),
  files('contexts by name: OCI layout', [
    '--build-context',
    'laid=oci-layout://HOST/layout:1',
    ...file('layout'),
    FILES,
  ]),
  files('contexts by name: the web', ['--build-context', 'web=WEB/fetched.txt', ...file('web'), FILES]),
  files('contexts by name: git', ['--build-context', 'repo=GIT/repo.git#main', ...file('fromgit'), FILES]),
  files('contexts by name: in place of an image', ['--build-context', 'REG/base:1=oci-layout://HOST/layout:1', FILES], {
    alike: undefined,
  }),
  fails('a context by name that is not there', /absent.*no such file/s, [
    '--build-context',
    'other=HOST/absent',
    ...file('named'),
    FILES,
  ]),
];

const outputs: readonly Line[] = [
  build('output: docker', ['-o', 'type=docker,dest=OUT/d.tar', FILES], { compare: ['docker-archive:OUT/d.tar'] }),
  build('output: tar', ['-o', 'type=tar,dest=OUT/t.tar', FILES], { compare: ['OUT/t.tar'] }),
  build('output: a folder in short', ['-o', 'OUT/short', FILES], { compare: ['dir:OUT/short'] }),
  build('output: layout', ['--provenance=false', '-o', 'type=oci,tar=false,dest=OUT/layout', FILES], {
    compare: ['oci:OUT/layout'],
  }),
  build('output: registry', ['--provenance=false', '-o', 'type=registry', '-t', 'REG/registry:1', FILES], {
    compare: ['docker://REG/registry:1'],
  }),
  build('output: image, pushed', ['--provenance=false', '-o', 'type=image,name=REG/image:1,push=true', FILES], {
    compare: ['docker://REG/image:1'],
  }),
  build('output: image, kept there', ['-o', 'type=image,name=REG/kept:1', FILES]),
  build(
    'output: --push under two names',
    ['--provenance=false', '--push', '-t', 'REG/two:1', '-t', 'REG/two:2', FILES],
    {
      compare: ['docker://REG/two:1', 'docker://REG/two:2'],
    },
  ),
  build('output: --load', ['--load', '-t', 'REG/loaded:1', FILES]),
  build('output: several', ['-o', 'type=tar,dest=OUT/s.tar', '-o', 'type=local,dest=OUT/s', FILES], {
    compare: ['OUT/s.tar', 'dir:OUT/s'],
  }),
  build('output: none', ['-o', 'type=cacheonly', FILES]),
  build(
    'output: platforms into a folder',
    ['--platform=linux/amd64,linux/386', ...file('platform'), ...local('each'), FILES],
    {
      compare: ['dir:OUT/each'],
    },
  ),
  fails('an output that there is not', /nothing/, ['-o', 'type=nothing,dest=OUT/x', FILES]),
  fails('no name to push to', /tag is needed when pushing to registry/, ['-o', 'type=registry', FILES]),
  fails("several platforms in Docker's format", /docker exporter does not.*support exporting manifest lists|multi/, [
    '--platform=linux/amd64,linux/386',
    ...file('platform'),
    '-o',
    'type=docker,dest=OUT/x.tar',
    FILES,
  ]),
];

const given: readonly Line[] = [
  files('secret: a file', ['--no-cache', '--secret', 'id=s,src=HOST/secret', ...file('secret'), FILES]),
  files('secret: a variable', ['--no-cache', '--secret', 'id=s,env=WORD', ...file('secret-env'), FILES], {
    env: { WORD: 'from a variable' },
  }),
  fails('a secret that is not given', /secret.* nobody|"nobody"/, [...file('secret-required'), FILES]),
  files('ssh', ['--no-cache', '--ssh', 'default=HOST/agent.sock', ...file('ssh'), FILES]),
  files('ssh: the agent of the environment', ['--no-cache', '--ssh', 'default', ...file('ssh'), FILES], {
    env: { SSH_AUTH_SOCK: 'HOST/agent.sock' },
  }),
  files('ssh: a key', ['--no-cache', '--ssh', 'default=HOST/key', ...file('ssh'), FILES]),
  fails('an agent that is not given', /nobody/, [...file('ssh-required'), FILES]),
  files('build args', ['--build-arg', 'X=9', ...file('stages'), FILES]),
  files('build args of the environment', ['--build-arg', 'X', ...file('stages'), FILES], { env: { X: 'env' } }),
  files('target', ['--target', 'first', ...file('stages'), FILES]),
  fails('an unknown target', /target stage "nothere" could not be found/, [
    '--target',
    'nothere',
    ...file('stages'),
    FILES,
  ]),
  image('labels', ['--label', 'by=words', '--label', 'in=words', ...file('labels'), FILES]),
  build(
    'annotations',
    [
      '--provenance=false',
      '--platform=linux/amd64,linux/386',
      ...['manifest:m=1', 'index:i=2', 'manifest-descriptor:d=3', 'manifest[linux/386]:p=4'].flatMap((text) => [
        '--annotation',
        text,
      ]),
      ...file('platform'),
      '-o',
      'type=oci,dest=OUT/annotated.tar',
      FILES,
    ],
    { compare: ['oci-archive:OUT/annotated.tar'] },
  ),
  build('no cache', ['--no-cache', ...file('stages'), FILES]),
  build('no cache of one stage', ['--no-cache-filter=two', ...file('nocache'), FILES], {
    before: [['build', ...file('nocache'), FILES]],
  }),
  build('no cache of two stages', ['--no-cache-filter=one,two', ...file('nocache'), FILES], {
    before: [['build', ...file('nocache'), FILES]],
  }),
  build('pull', ['--pull', ...file('stages'), FILES]),
  files('limits', [
    '--shm-size=16m',
    '--ulimit',
    'nofile=777:777',
    '--add-host',
    'special:10.1.2.3',
    '--add-host',
    'special=::9',
    ...file('limits'),
    FILES,
  ]),
  fails(
    'a limit that is none',
    /parsing "many": invalid syntax/,
    ['--ulimit', 'nofile=many', ...file('limits'), FILES],
    { code: 125 },
  ),
  files('control group', ['--cgroup-parent', 'strake-test', ...file('cgroup'), FILES], {
    differs: {
      ours: [1, /below control group "strake-test": not supported yet/],
      why: 'steps run in control groups of their own',
    },
  }),
  files('network: none by the line', [...file('network-none'), FILES]),
  files('network: host by the line', ['--allow', 'network.host', ...file('network-host'), FILES]),
  files('network: host by flag', ['--network=host', '--allow', 'network.host', ...file('network-plain'), FILES]),
  fails('network: none by flag', /wget .* did not complete successfully: exit code: 1/, [
    '--network=none',
    ...file('network-plain'),
    FILES,
  ]),
  fails('network: host not allowed', /network\.host is not allowed/, [...file('network-host'), FILES]),
  fails('network: one that there is not', /strange/, ['--network=strange', FILES]),
  fails('an entitlement that there is not', /strange\.thing/, ['--allow=strange.thing', FILES]),
  build('an image ID file', ['--iidfile', 'OUT/iid', FILES]),
];

const asked: readonly Line[] = [
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

const PRUNE = ['prune', '--all', '--force'];
const nothing = ['-o', 'type=cacheonly'];
const caches: readonly Line[] = [
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
  // What either has written is known to the other.
  build("cache: each from the other's", ['--cache-from', 'type=registry,ref=REG/base-cache:1', ...nothing, FILES], {
    before: [['build', '--cache-to', 'type=registry,ref=REG/base-cache:1,mode=max', ...nothing, FILES], PRUNE],
  }),
];

const said: readonly Line[] = [
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
    alike: alike.stdout,
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

const lines: readonly Line[] = [
  files('heredocs', [...file('heredocs'), FILES]),
  image('COPY: links, owners, modes, what is left out', [...file('copies'), FILES]),
  files('COPY --parents', [...file('parents'), FILES], {
    differs: { theirs: [1, /unknown flag: --parents/], why: OLD },
  }),
  files('ADD: the web, archives, git', [...file('adds'), FILES]),
  files('ADD --unpack', [...file('unpacks'), FILES]),
  files('ADD --keep-git-dir', [...file('git-folder'), FILES]),
  files('ADD --checksum of git', [...file('git-checksum'), FILES]),
  files('RUN --mount of every kind', [
    '--secret',
    'id=s,src=HOST/secret',
    '--ssh',
    'default=HOST/agent.sock',
    ...file('mounts'),
    FILES,
  ]),
  fails('a step that fails', /did not complete successfully: exit code: 3$/, [...file('fail'), FILES]),
  fails(
    'a heredoc that fails',
    /process "\/bin\/sh -c echo one\\nexit 4\\n" did not complete successfully: exit code: 4$/,
    [...file('fail-heredoc'), FILES],
  ),
  fails(
    'a program that is not there',
    /process "\/no\/such\/program" did not complete successfully: exit code: (1|127)$/,
    [...file('fail-program'), FILES],
  ),
  fails('a user that is not there', /nobody-of-that-name"?: no .*passwd/, [...file('fail-user'), FILES]),
  fails('a wrong word', /dockerfile parse error on line 2: unknown instruction: RUNN/, [...file('parse'), FILES]),
  fails('a wrong flag', /dockerfile parse error on line 2: unknown flag: --fromm/, [...file('parse-flag'), FILES]),
  fails('too few arguments', /dockerfile parse error on line 2: COPY requires at least two arguments/, [
    ...file('parse-arguments'),
    FILES,
  ]),
  fails('a missing file', /"\/nothere": not found$/, [...file('missing'), FILES]),
  fails('a file that is left out', /"\/left-out\.log": not found$/, [...file('ignored'), FILES]),
  fails('a missing stage', /docker\.io\/library\/nothere:latest.*not found|no such tag/, [
    ...file('missing-stage'),
    FILES,
  ]),
  fails('a missing base', /REG|none:1.*(not found|no such tag)/, [...file('missing-base'), FILES]),
  fails('no FROM', /./, [...file('no-from'), FILES]),
  fails('stages in a circle', /./, [...file('circle'), FILES]),
  fails('an empty file', /the Dockerfile cannot be empty$/, [...file('empty'), FILES]),
  fails('no file', /absent\.Dockerfile.*no such file/, [...file('absent'), FILES]),
  fails('a wrong checksum', /digest mismatch/, [...file('wrong-checksum'), FILES], { excerpt: 'ours' }),
  fails('what the web has not', /invalid response status 404$/, [...file('not-there'), FILES], { excerpt: 'ours' }),
  fails('a platform that is none', /strange/, ['--platform=strange', FILES]),
];

const BAKE = ['-f', 'OUT/bake.hcl', '--allow=fs=*'];
const bakes: readonly Line[] = [
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

const kept: readonly Line[] = [
  { name: 'du', words: ['du'], alike: alike.heading },
  { name: 'du --verbose', words: ['du', '--verbose'], alike: alike.strangeLabels },
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
    before: [['build', ...file('stages'), FILES]],
    alike: alike.outputShape,
  },
  { name: 'history inspect of a failure', words: ['history', 'inspect'], before: [], alike: alike.labels },
  {
    name: 'history logs',
    words: ['history', 'logs', '--progress=plain'],
    before: [['build', '--no-cache', ...file('stages'), FILES]],
    alike: alike.steps,
  },
  { name: 'history rm', words: ['history', 'rm', '--all'] },
  { name: 'prune', words: PRUNE, alike: (seen) => alike.heading(seen) },
  { name: 'du of nothing', words: ['du'], alike: alike.stdout },
];

export const LINES: readonly Line[] = [
  ...contexts,
  ...outputs,
  ...given,
  ...asked,
  ...caches,
  ...said,
  ...lines,
  ...bakes,
  ...kept,
];
