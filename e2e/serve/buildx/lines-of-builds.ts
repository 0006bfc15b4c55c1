import type { Line } from './line.ts';
import { build, fails, file, FILES, files, image, local } from './write-line.ts';

const OLD = 'the frontend of docker 28 does not know it yet';

/** Where a context comes from. */
export const contexts: readonly Line[] = [
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
  files('contexts by name: the web', ['--build-context', 'web=WEB/fetched.txt', ...file('web'), FILES], {
    differs: { theirs: [1, /invalid argument/], why: 'docker 28 cannot read the file of such a context' },
  }),
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

/** Where what is built goes. */
export const outputs: readonly Line[] = [
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

/** What a build is given. */
export const given: readonly Line[] = [
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
  fails('network: host not allowed', /network\.host is not allowed/, [...file('network-host'), FILES], {
    excerpt: 'ours',
  }),
  fails('network: one that there is not', /strange/, ['--network=strange', FILES]),
  fails('an entitlement that there is not', /strange\.thing/, ['--allow=strange.thing', FILES]),
  build('an image ID file', ['--iidfile', 'OUT/iid', FILES]),
];

/** What stands in the Dockerfile. */
export const lines: readonly Line[] = [
  files('heredocs', [...file('heredocs'), FILES]),
  image('COPY: links, owners, modes, what is left out', [...file('copies'), FILES]),
  files('COPY --parents', [...file('parents'), FILES], {
    differs: { theirs: [1, /unknown flag: --parents/], why: OLD },
  }),
  files('ADD: the web, archives, git', [...file('adds'), FILES]),
  files('ADD --unpack', [...file('unpacks'), FILES], { alike: undefined }),
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
  fails('a missing stage', /docker\.io\/library\/nothere:latest/, [...file('missing-stage'), FILES]),
  fails('a missing base', /REG|none:1.*(not found|no such tag)/, [...file('missing-base'), FILES]),
  fails('no FROM', /./, [...file('no-from'), FILES]),
  fails('stages in a circle', /./, [...file('circle'), FILES]),
  fails('an empty file', /the Dockerfile cannot be empty$/, [...file('empty'), FILES]),
  fails('no file', /absent\.Dockerfile.*no such file/, [...file('absent'), FILES]),
  fails('a wrong checksum', /digest mismatch/, [...file('wrong-checksum'), FILES], { excerpt: 'ours' }),
  fails('what the web has not', /invalid response status 404$/, [...file('not-there'), FILES], { excerpt: 'ours' }),
  fails('a platform that is none', /strange/, ['--platform=strange', FILES]),
];
