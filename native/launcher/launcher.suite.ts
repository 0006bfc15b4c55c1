import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { LauncherRig, metadataOf, type LaunchCase, type Launched, type LauncherUnderTest } from './rig.ts';

const NEW = { 'a/b': '0.12' };
const OLD = { 'a/b': '0.8' };
const OWN = { 'buildpack-id': 'a/b' };
const WEB = metadataOf(NEW, { type: 'web', command: ['show'], direct: true, ...OWN });
const ERROR = 'ERROR: failed to ';

interface Expected {
  /** Default 0. */
  readonly code?: number;
  /** All of standard error. */
  readonly stderr?: string;
  readonly stdout?: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** undefined: not there. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type Row = readonly [name: string, launch: LaunchCase, expected: Expected];

/** An error of the launcher itself: nothing was started. */
const failed = (message: string, code = 82): Expected => ({ code, stderr: `${ERROR}${message}\n`, stdout: '' });
const undecided = (message: string): Expected => failed(`launch: determine start command: ${message}`);

/** A program for exec.d that writes these lines to file 3. */
const tells = (...lines: readonly string[]): string => `#!/bin/sh\ncat >&3 <<'END'\n${lines.join('\n')}\nEND\n`;

const CHOICE: readonly Row[] = [
  ['a process by the name of the launcher', { argv0: '/cnb/process/web', metadata: WEB }, { args: [], cwd: '%/app' }],
  ['the name without a folder', { argv0: 'web', metadata: WEB }, { args: [] }],
  [
    'a type with a dot',
    {
      argv0: 'process.with.period',
      metadata: metadataOf(NEW, { type: 'process.with.period', command: ['show', 'x'], direct: true, ...OWN }),
    },
    { args: ['x'] },
  ],
  ['no process and no command', { metadata: WEB }, undecided('when there is no default process a command is required')],
  [
    'the name ends in a slash',
    { argv0: '/web/', metadata: WEB },
    undecided('when there is no default process a command is required'),
  ],
  [
    '-- starts directly',
    { args: ['--', 'show', '$HOME', '--', ''], metadata: WEB },
    { args: ['$HOME', '--', ''], cwd: '%/app' },
  ],
  ['-- alone', { args: ['--'], metadata: WEB }, undecided('a command is required after "--"')],
  [
    'anything else is started by a shell',
    { args: ['show', '$((6*7))', '--'], metadata: WEB },
    { args: ['42', '--'], cwd: '%/app' },
  ],
  ['a type as an argument is a command', { args: ['web'], metadata: WEB }, { code: 127 }],
  [
    'CNB_PROCESS_TYPE is ignored, with a warning',
    { args: ['--', 'show'], env: { CNB_PROCESS_TYPE: 'web' }, metadata: WEB },
    {
      args: [],
      env: { CNB_PROCESS_TYPE: undefined },
      stderr:
        "Warning: CNB_PROCESS_TYPE is not supported in Platform API 0.15\nWarning: Run with ENTRYPOINT 'web' to invoke the 'web' process type\n",
    },
  ],
  [
    'an empty CNB_PROCESS_TYPE',
    { args: ['--', 'show'], env: { CNB_PROCESS_TYPE: '' }, metadata: WEB },
    { stderr: '', env: { CNB_PROCESS_TYPE: undefined } },
  ],
];

/** Arguments of the person who starts it: [platform API, buildpack API, command, args of the buildpack, args of the person, what the process gets]. */
const ARGUMENTS: readonly (readonly [
  string,
  string,
  string | readonly string[],
  readonly string[],
  readonly string[],
  readonly string[],
])[] = [
  ['0.15', '0.12', ['show', 'always'], ['default'], [], ['always', 'default']],
  ['0.10', '0.9', ['show', 'always'], ['default'], ['mine'], ['always', 'mine']],
  ['0.10', '0.8', ['show', 'always'], ['default'], ['mine'], ['always', 'mine']],
  ['0.15', '0.12', ['show'], ['default'], [], ['default']],
  ['0.10', '0.9', ['show'], ['default'], ['mine', ''], ['mine', '']],
  ['0.15', '0.8', ['show'], ['default'], ['mine'], ['default', 'mine']],
  ['0.15', '0.7', 'show', ['default'], ['mine'], ['default', 'mine']],
  ['0.15', '0.12', 'show', ['default'], ['mine'], ['mine']],
  ['0.9', '0.9', 'show', ['default'], ['mine'], ['default', 'mine']],
  ['0.9', '0.12', ['show', 'always'], ['default'], ['mine'], ['always', 'default', 'mine']],
  ['0.7', '0.7', 'show', ['default'], [], ['default']],
];

const EXEC_ENV = (...names: readonly string[]): LaunchCase => ({
  argv0: 'web',
  metadata: metadataOf(NEW, { type: 'web', command: ['show'], direct: true, 'exec-env': names, ...OWN }),
});
const NOT_FOR = (name: string): Expected =>
  undecided(`process type web was not found: it is not for the execution environment "${name}"`);

const EXEC_ENVS: readonly Row[] = [
  ['production is the default', EXEC_ENV('production'), { args: [], env: { CNB_EXEC_ENV: undefined } }],
  ['another one is not started', EXEC_ENV('test', 'development'), NOT_FOR('production')],
  [
    'the current one',
    { ...EXEC_ENV('production', 'test'), env: { CNB_EXEC_ENV: 'test' } },
    { env: { CNB_EXEC_ENV: 'test' } },
  ],
  ['not the current one', { ...EXEC_ENV('production'), env: { CNB_EXEC_ENV: 'test' } }, NOT_FOR('test')],
  ['* is all', { ...EXEC_ENV('*'), env: { CNB_EXEC_ENV: 'x' } }, { args: [] }],
  ['none named is all', { ...EXEC_ENV(), env: { CNB_EXEC_ENV: 'x' } }, { args: [] }],
  ['an empty one is production', { ...EXEC_ENV('production'), env: { CNB_EXEC_ENV: '' } }, { args: [] }],
  ['platforms before 0.15 do not look', { ...EXEC_ENV('test'), platform: '0.14' }, { args: [] }],
  [
    'the first of several with one type that may',
    {
      argv0: 'web',
      env: { CNB_EXEC_ENV: 'test' },
      metadata: metadataOf(
        NEW,
        { type: 'web', command: ['show', '1'], direct: true, 'exec-env': ['production'], ...OWN },
        { type: 'web', command: ['show', '2'], direct: true, 'exec-env': ['test'], ...OWN },
        { type: 'web', command: ['show', '3'], direct: true, ...OWN },
      ),
    },
    { args: ['2'] },
  ],
];

/** Files of layers and variables before, and variables after. */
const ENVIRONMENT: readonly (readonly [
  name: string,
  files: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string | undefined>>,
])[] = [
  ['no suffix overrides', { 'layers/a_b/l/env/A': 'new' }, { A: 'old' }, { A: 'new' }],
  ['.override', { 'layers/a_b/l/env/A.override': ' $new\n' }, { A: 'old' }, { A: ' $new\n' }],
  ['.default where it is not set', { 'layers/a_b/l/env/A.default': 'new' }, {}, { A: 'new' }],
  ['.default where it is empty', { 'layers/a_b/l/env/A.default': 'new' }, { A: '' }, { A: 'new' }],
  ['.default where it is set', { 'layers/a_b/l/env/A.default': 'new' }, { A: 'old' }, { A: 'old' }],
  ['.append has no delimiter by itself', { 'layers/a_b/l/env/A.append': 'new' }, { A: 'old' }, { A: 'oldnew' }],
  [
    '.prepend has none either, for PATH too',
    { 'layers/a_b/l/env/LD_LIBRARY_PATH.prepend': '/new' },
    { LD_LIBRARY_PATH: '/old' },
    { LD_LIBRARY_PATH: '/new/old' },
  ],
  [
    '.append with .delim',
    { 'layers/a_b/l/env/A.append': 'new', 'layers/a_b/l/env/A.delim': '::' },
    { A: 'old' },
    { A: 'old::new' },
  ],
  [
    '.prepend with .delim',
    { 'layers/a_b/l/env/A.prepend': 'new', 'layers/a_b/l/env/A.delim': '\n' },
    { A: 'old' },
    { A: 'new\nold' },
  ],
  [
    'no delimiter where there was nothing',
    {
      'layers/a_b/l/env/A.append': 'a',
      'layers/a_b/l/env/B.prepend': 'b',
      'layers/a_b/l/env/A.delim': ':',
      'layers/a_b/l/env/B.delim': ':',
    },
    { B: '' },
    { A: 'a', B: 'b' },
  ],
  [
    '.delim of another folder does not count',
    { 'layers/a_b/l/env/A.append': 'x', 'layers/a_b/l/env.launch/A.delim': ':' },
    { A: 'old' },
    { A: 'oldx' },
  ],
  [
    'the name ends at the first dot, the rest is unknown',
    {
      'layers/a_b/l/env/A.b.append': 'x',
      'layers/a_b/l/env/B.sh': 'x',
      'layers/a_b/l/env/C.': 'x',
      'layers/a_b/l/env/.append': 'x',
    },
    { A: 'old' },
    { A: 'old', B: undefined, C: undefined, '': undefined },
  ],
  [
    'several files of one variable, by name',
    { 'layers/a_b/l/env/A': '2', 'layers/a_b/l/env/A.append': '3', 'layers/a_b/l/env/A.prepend': '1' },
    { A: 'old' },
    { A: '123' },
  ],
  [
    'a value with "=" and one that is empty',
    { 'layers/a_b/l/env/A': 'b=c', 'layers/a_b/l/env/B': '' },
    {},
    { A: 'b=c', B: '' },
  ],
  ['bytes that are no text stay', { 'layers/a_b/l/env/A': 'é\t😀' }, {}, { A: 'é\t😀' }],
  [
    'env, env.launch, env.launch/<type>',
    {
      'layers/a_b/l/env/A.append': '1',
      'layers/a_b/l/env.launch/A.append': '2',
      'layers/a_b/l/env.launch/web/A.append': '3',
      'layers/a_b/l/env.launch/worker/A.append': '4',
    },
    {},
    { A: '123' },
  ],
  ['env.build is not for launch', { 'layers/a_b/l/env.build/A': '1' }, {}, { A: undefined }],
  [
    'a later layer comes later',
    {
      'layers/a_b/l2/env/A.append': '2',
      'layers/a_b/l1/env/A.append': '1',
      'layers/a_b/l10/env.launch/A.append': '10',
    },
    {},
    { A: '1102' },
  ],
  [
    'a layer after the other: env.launch of the first before env of the second',
    { 'layers/a_b/x/env.launch/A': '1', 'layers/a_b/y/env/A': '2' },
    {},
    { A: '2' },
  ],
  [
    'defaults: the first layer wins',
    { 'layers/a_b/x/env/A.default': '1', 'layers/a_b/y/env/A.default': '2' },
    {},
    { A: '1' },
  ],
  [
    'buildpacks in the order of the metadata',
    { 'layers/a_b/x/env/A.append': '1', 'layers/0x/x/env/A.append': '2' },
    {},
    { A: '12' },
  ],
  ['a buildpack that is not in the metadata', { 'layers/stranger/x/env/A': '1' }, {}, { A: undefined }],
  [
    'bin and lib',
    { 'layers/a_b/x/bin/': '', 'layers/a_b/x/lib/': '', 'layers/a_b/x/include/': '', 'layers/a_b/x/pkgconfig/': '' },
    { PATH: '%/tools:/bin', LD_LIBRARY_PATH: '/l' },
    {
      PATH: '%/layers/a_b/x/bin:%/tools:/bin',
      LD_LIBRARY_PATH: '%/layers/a_b/x/lib:/l',
      LIBRARY_PATH: undefined,
      CPATH: undefined,
      PKG_CONFIG_PATH: undefined,
    },
  ],
  [
    'bin of several layers and buildpacks: the later before',
    { 'layers/a_b/x/bin/': '', 'layers/a_b/y/bin/': '', 'layers/0x/z/bin/': '' },
    { PATH: '%/tools:/bin' },
    { PATH: '%/layers/0x/z/bin:%/layers/a_b/y/bin:%/layers/a_b/x/bin:%/tools:/bin' },
  ],
  [
    'all bin folders of a buildpack before its variables',
    { 'layers/a_b/x/env/PATH.append': ':/end', 'layers/a_b/y/bin/': '' },
    { PATH: '%/tools:/bin' },
    { PATH: '%/layers/a_b/y/bin:%/tools:/bin:/end' },
  ],
  ['lib where nothing was', { 'layers/a_b/x/lib/': '' }, {}, { LD_LIBRARY_PATH: '%/layers/a_b/x/lib' }],
  [
    'the lifecycle’s own variables go',
    {},
    { CNB_DEPRECATION_MODE: 'quiet', CNB_PROCESS_TYPE: '', CNB_STACK_ID: 's', CNB_EXEC_ENV: 'e' },
    {
      CNB_LAYERS_DIR: undefined,
      CNB_APP_DIR: undefined,
      CNB_PLATFORM_API: undefined,
      CNB_DEPRECATION_MODE: undefined,
      CNB_PROCESS_TYPE: undefined,
      CNB_STACK_ID: 's',
      CNB_EXEC_ENV: 'e',
    },
  ],
  [
    'the lifecycle’s own folders go from PATH, wherever they stand',
    {},
    { PATH: '/cnb/process:/cnb/lifecycle:%/tools::/bin:/cnb/process:/cnb/process/x:/cnb/lifecycle' },
    { PATH: '%/tools::/bin:/cnb/process/x' },
  ],
  [
    'files that are no files',
    {
      'layers/a_b/l/env/A/': '',
      'layers/a_b/l/env/B': '-> A',
      'layers/a_b/l/env/C': '-> /dev/null',
      'layers/a_b/l/env/D': '-> ../d',
      'layers/a_b/l/d': 'linked',
    },
    {},
    { A: undefined, B: undefined, C: undefined, D: 'linked' },
  ],
  [
    'a linked folder is no layer, a file neither',
    { 'layers/a_b/x': '-> ../other', 'layers/other/env/A': '1', 'layers/a_b/y.toml': '' },
    {},
    { A: undefined },
  ],
  ['env as a file', { 'layers/a_b/x/env': 'program', 'layers/a_b/x/env.launch/web': 'v' }, {}, { web: 'v' }],
];

const EXEC_D: readonly Row[] = [
  [
    'sets what it tells',
    {
      argv0: 'web',
      metadata: WEB,
      files: { 'layers/a_b/l/exec.d/one': tells('A = "1"', `B = 'b"'`, '"C" = """x\ny"""') },
    },
    { env: { A: '1', B: 'b"', C: 'x\ny' } },
  ],
  [
    'each sees what the one before told, in the order of buildpacks, layers and names; the type’s own after its layer’s',
    {
      argv0: 'web',
      metadata: metadataOf({ 'a/b': '0.12', '0x': '0.7' }, { type: 'web', command: ['show'], direct: true, ...OWN }),
      files: Object.fromEntries(
        Object.entries({
          '0x/l/exec.d/a': 6,
          'a_b/y/exec.d/a': 5,
          'a_b/x/exec.d/b': 2,
          'a_b/x/exec.d/a': 1,
          'a_b/x/exec.d/web/b': 4,
          'a_b/x/exec.d/web/a': 3,
          'a_b/x/exec.d/worker/a': 9,
        }).map(([path, n]) => [`layers/${path}`, `#!/bin/sh\necho "A = \\"$(printenv A)${n}\\"" >&3\n`]),
      ),
    },
    { env: { A: '123456' } },
  ],
  [
    'runs in the application’s folder with the launch environment, by its path, without input; its output is that of the launcher',
    {
      argv0: 'web',
      metadata: metadataOf(NEW, { type: 'web', command: ['true'], direct: true, ...OWN }),
      files: {
        'layers/a_b/l/env/A': 'a',
        'layers/a_b/l/exec.d/one':
          '#!/bin/sh\necho "$0 $# $A $(pwd -P) <$(cat)> ${CNB_LAYERS_DIR-none}"; echo err >&2\n',
      },
    },
    { stdout: '%/layers/a_b/l/exec.d/one 0 a %/app <> none\n', stderr: 'err\n' },
  ],
  [
    'nothing told is fine',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': '#!/bin/sh\n' } },
    { args: [] },
  ],
  [
    'no process type: only those for all',
    {
      args: ['--', 'show'],
      metadata: WEB,
      files: { 'layers/a_b/l/exec.d/one': tells('A="1"'), 'layers/a_b/l/exec.d/web/two': tells('A="2"') },
    },
    { env: { A: '1' } },
  ],
  [
    'for a shell as well, before its profiles',
    {
      args: ['show', '$A'],
      metadata: WEB,
      files: { 'layers/a_b/l/exec.d/one': tells('A="1"'), 'layers/a_b/l/profile.d/a.sh': 'A="$A.2"' },
    },
    { args: ['1.2'] },
  ],
  [
    'read to the end, also of what it left running',
    {
      argv0: 'web',
      metadata: WEB,
      files: { 'layers/a_b/l/exec.d/one': '#!/bin/sh\n(sleep 0.05; echo \'A = "late"\' >&3) &\n' },
    },
    { env: { A: 'late' } },
  ],
  [
    'much',
    {
      argv0: 'web',
      metadata: WEB,
      files: {
        'layers/a_b/l/exec.d/one':
          "#!/bin/sh\n{ printf 'A = \"'; head -c 100000 /dev/zero | tr '\\0' x; echo '\"'; } >&3\n",
      },
    },
    { env: { A: 'x'.repeat(100_000) } },
  ],
  [
    'a failure ends the launch',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': '#!/bin/sh\nexit 3\n' } },
    failed("launch: exec.d: failed to execute exec.d file at path '%/layers/a_b/l/exec.d/one': exit status 3"),
  ],
  [
    'so does a signal',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': '#!/bin/sh\nkill -9 $$\n' } },
    failed("launch: exec.d: failed to execute exec.d file at path '%/layers/a_b/l/exec.d/one': signal: killed"),
  ],
  [
    'no program',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': 'echo' } },
    failed("launch: exec.d: failed to execute exec.d file at path '%/layers/a_b/l/exec.d/one': permission denied"),
  ],
  [
    'not TOML',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': tells('A = "1"', 'B=') } },
    failed(
      "launch: exec.d: failed to decode output from exec.d file at path '%/layers/a_b/l/exec.d/one': line 2:3: a value was expected",
    ),
  ],
  [
    'not a string',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': tells('A = 1') } },
    failed(
      `launch: exec.d: failed to decode output from exec.d file at path '%/layers/a_b/l/exec.d/one': line 1:5: "A" is not a string`,
    ),
  ],
  [
    'a table',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': tells('A.b = "1"') } },
    failed(
      `launch: exec.d: failed to decode output from exec.d file at path '%/layers/a_b/l/exec.d/one': line 1:3: "A" is not a string`,
    ),
  ],
  [
    'a zero byte',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': tells('A = "\\u0000"') } },
    failed(
      `launch: exec.d: failed to decode output from exec.d file at path '%/layers/a_b/l/exec.d/one': line 1:5: "A" contains a zero byte, which no variable can`,
    ),
  ],
  [
    'no name',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/exec.d/one': tells('"A=B" = "1"') } },
    failed(
      `launch: exec.d: failed to decode output from exec.d file at path '%/layers/a_b/l/exec.d/one': line 1:9: "A=B" is no name of a variable`,
    ),
  ],
];

const direct = (process: Readonly<Record<string, string | boolean | readonly string[]>>): string =>
  metadataOf(NEW, { type: 'web', direct: true, ...OWN, ...process });
const old = (process: Readonly<Record<string, string | boolean | readonly string[]>>): string =>
  metadataOf(OLD, { type: 'web', direct: false, ...OWN, ...process });
const PROGRAM = '#!/bin/sh\necho "own $*"\n';

const STARTS: readonly Row[] = [
  [
    'direct: PATH of the layers is searched',
    { argv0: 'web', metadata: direct({ command: ['tool', 'x'] }), files: { 'layers/a_b/l/bin/tool': PROGRAM } },
    { stdout: 'own x\n' },
  ],
  [
    'direct: PATH of exec.d as well',
    {
      argv0: 'web',
      metadata: direct({ command: ['tool'] }),
      files: { 'else/tool': PROGRAM, 'layers/a_b/l/exec.d/p': tells('PATH = "%/else:/bin"') },
    },
    { stdout: 'own \n' },
  ],
  [
    'direct: what may not be executed is passed over',
    {
      argv0: 'web',
      metadata: direct({ command: ['tool'] }),
      files: { 'tools/tool': 'text', 'more/tool/': '', 'layers/a_b/l/bin/x': '', 'last/tool': PROGRAM },
      env: { PATH: '%/tools:%/more:%/last:/bin' },
    },
    { stdout: 'own \n' },
  ],
  [
    'direct: arguments are not evaluated',
    { argv0: 'web', metadata: direct({ command: ['show', '$HOME', '`id`', '*'] }) },
    { args: ['$HOME', '`id`', '*'] },
  ],
  [
    'direct: argument 0 is the command as written',
    { argv0: 'web', metadata: direct({ command: ['sh', '-c', 'tr "\\0" " " </proc/$$/cmdline | head -c 5'] }) },
    { stdout: 'sh -c' },
  ],
  [
    'direct: a path from the application’s folder',
    { argv0: 'web', metadata: direct({ command: ['./bin/x'] }), files: { 'app/bin/x': PROGRAM } },
    { stdout: 'own \n' },
  ],
  [
    'direct: the working directory',
    { argv0: 'web', metadata: direct({ command: ['show'], 'working-dir': '/' }) },
    { cwd: '/' },
  ],
  [
    'direct: one below the application’s',
    { argv0: 'web', metadata: direct({ command: ['show'], 'working-dir': 'sub' }), files: { 'app/sub/': '' } },
    { cwd: '%/app/sub' },
  ],
  [
    'direct: not before programs are looked for',
    {
      argv0: 'web',
      metadata: direct({ command: ['show'], 'working-dir': '/' }),
      env: { PATH: 'tools:/bin' },
      files: { 'app/tools/show': PROGRAM },
    },
    failed('launch: path lookup: exec: "show": cannot run executable found relative to current directory'),
  ],
  [
    'direct: an empty element of PATH is not the current folder',
    { argv0: 'web', metadata: direct({ command: ['own'] }), env: { PATH: '/bin:' }, files: { 'app/own': PROGRAM } },
    failed('launch: path lookup: exec: "own": cannot run executable found relative to current directory'),
  ],
  [
    'direct: a missing working directory',
    { argv0: 'web', metadata: direct({ command: ['show'], 'working-dir': 'none' }) },
    failed('launch: change directory: chdir none: no such file or directory'),
  ],
  [
    'direct: a missing command',
    { argv0: 'web', metadata: direct({ command: ['none'] }) },
    failed('launch: path lookup: exec: "none": executable file not found in $PATH'),
  ],
  [
    'direct: without PATH',
    { argv0: 'web', metadata: direct({ command: ['show'] }), env: { PATH: undefined } },
    failed('launch: path lookup: exec: "show": executable file not found in $PATH'),
  ],
  [
    'direct: a missing path',
    { argv0: 'web', metadata: direct({ command: ['./none'] }) },
    failed('launch: path lookup: exec: "./none": no such file or directory'),
  ],
  [
    'direct: a folder',
    { argv0: 'web', metadata: direct({ command: ['./sub'] }), files: { 'app/sub/': '' } },
    failed('launch: path lookup: exec: "./sub": is a directory'),
  ],
  [
    'direct: no program',
    { argv0: 'web', metadata: direct({ command: ['./text'] }), files: { 'app/text': 'x' } },
    failed('launch: path lookup: exec: "./text": permission denied'),
  ],
  [
    'direct: no command',
    { argv0: 'web', metadata: direct({ command: [] }) },
    failed('launch: no command provided for process type "web"'),
  ],
  [
    'direct: a program for no machine',
    { argv0: 'web', metadata: direct({ command: ['./x'] }), files: { 'app/x': '#!' } },
    { code: 82, stdout: '' },
  ],
  [
    'buildpacks from 0.9 have no shell, whatever the metadata says',
    { argv0: 'web', metadata: metadataOf({ 'a/b': '0.9' }, { type: 'web', command: ['show', '$HOME'], ...OWN }) },
    { args: ['$HOME'] },
  ],
  [
    'before 0.9 a process may be direct',
    { argv0: 'web', metadata: old({ command: 'show', args: ['$HOME'], direct: true }) },
    { args: ['$HOME'] },
  ],
  [
    'shell: without arguments the command is a script',
    { argv0: 'web', metadata: old({ command: 'A=1; show "$A  $B" | cat' }), env: { B: 'b' } },
    { args: ['1  b'] },
  ],
  [
    'shell: with arguments each of them is evaluated, and is one word',
    {
      argv0: 'web',
      metadata: old({ command: '$TOOL', args: ['$A', 'b  c', '"d"', '$(echo e f)'] }),
      env: { TOOL: 'show', A: '1 2' },
    },
    { args: ['1 2', 'b c', 'd', 'e f'] },
  ],
  [
    'shell: arguments of the person are evaluated too',
    { argv0: 'web', metadata: old({ command: 'show' }), args: ['$A', "'$A'"], env: { A: 'x y' } },
    { args: ['x y', "'x y'"] },
  ],
  [
    'shell: more than nine arguments',
    { argv0: 'web', metadata: old({ command: 'show', args: 'a b c d e f g h i j k l'.split(' ') }) },
    { args: 'a b c d e f g h i j k l'.split(' ') },
  ],
  [
    'shell: a command of several words, of a platform before 0.10',
    { argv0: 'web', platform: '0.9', metadata: old({ command: ['show', 'a'] }) },
    { args: ['a'] },
  ],
  [
    'shell: a command of the person without arguments is a script',
    { args: ['show "$((1+1))" && true'], metadata: WEB },
    { args: ['2'] },
  ],
  [
    'shell: the working directory',
    {
      argv0: 'web',
      metadata: old({ command: 'show', 'working-dir': '%/app/a "b" $c' }),
      files: { 'app/a "b" $c/': '' },
    },
    { cwd: '%/app/a "b" $c' },
  ],
  ['shell: the exit code of the process', { argv0: 'web', metadata: old({ command: 'exit 7' }) }, { code: 7 }],
  [
    'direct: the exit code of the process',
    { argv0: 'web', metadata: direct({ command: ['sh', '-c', 'exit 9'] }) },
    { code: 9 },
  ],
  [
    'shell: profiles by buildpack, layer and name, the type’s own, then the application’s; in the application’s folder',
    {
      argv0: 'web',
      metadata: metadataOf({ 'a/b': '0.8', '0x': '0.8' }, { type: 'web', command: 'show', 'working-dir': '/', ...OWN }),
      files: {
        ...Object.fromEntries(
          [
            '0x/l/profile.d/a',
            'a_b/y/profile.d/a',
            'a_b/x/profile.d/b',
            'a_b/x/profile.d/a',
            'a_b/x/profile.d/web/a',
            'a_b/x/profile.d/worker/a',
          ].map((path) => [`layers/${path}`, `export A="$A ${path}"\n`]),
        ),
        'app/.profile': 'export A="$A app $(pwd -P) $0"\n',
      },
    },
    {
      env: {
        A: ' a_b/x/profile.d/a a_b/x/profile.d/b a_b/x/profile.d/web/a a_b/y/profile.d/a 0x/l/profile.d/a app %/app web',
      },
      cwd: '/',
    },
  ],
  [
    'direct: no profiles',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/profile.d/a': 'export A=1', 'app/.profile': 'export A=1' } },
    { env: { A: undefined } },
  ],
  [
    'shell: a folder .profile',
    { args: ['show'], metadata: WEB, files: { 'app/.profile/': '' } },
    { args: [], stderr: '' },
  ],
  [
    'shell: an unknown buildpack',
    { argv0: 'web', platform: '0.9', metadata: metadataOf({}, { type: 'web', command: 'show', args: ['x'], ...OWN }) },
    failed("launch: process type 'web' provided by unknown buildpack 'a/b'"),
  ],
  [
    'arguments for a process of an unknown buildpack',
    { argv0: 'web', metadata: metadataOf({}, { type: 'web', command: 'show', ...OWN }), args: ['x'] },
    undecided('failed to find buildpack for process web with buildpack ID a/b'),
  ],
  [
    'no application',
    { argv0: 'web', metadata: WEB, env: { CNB_APP_DIR: '%/none' } },
    failed('launch: change to app directory: chdir %/none: no such file or directory'),
  ],
  [
    'relative folders',
    {
      argv0: 'web',
      metadata: WEB,
      env: { CNB_APP_DIR: 'app', CNB_LAYERS_DIR: 'layers' },
      files: { 'layers/a_b/l/env/A': '1' },
    },
    { env: { A: '1' }, cwd: '%/app' },
  ],
  [
    'more than a process can be given',
    { argv0: 'web', metadata: WEB, files: { 'layers/a_b/l/env/A': 'x'.repeat(140_000) } },
    failed('launch: direct exec: %/tools/show: argument list too long'),
  ],
];

const METADATA: readonly Row[] = [
  ['none', {}, failed('read metadata: open %/layers/config/metadata.toml: no such file or directory')],
  ['empty', { metadata: '', args: ['--', 'show'] }, { args: [] }],
  [
    'not TOML',
    { metadata: '[[processes]]\ntype = web\n' },
    failed('read metadata: %/layers/config/metadata.toml:2:8: a value was expected'),
  ],
  [
    'a type that is no string',
    { metadata: '[[processes]]\ntype = 1\n' },
    failed('read metadata: %/layers/config/metadata.toml:2:8: a string was expected'),
  ],
  [
    'arguments that are no strings',
    { metadata: '[[processes]]\nargs = ["a", 1]\n' },
    failed('read metadata: %/layers/config/metadata.toml:2:14: a string was expected'),
  ],
  [
    'processes that are none',
    { metadata: 'processes = 1\n' },
    failed('read metadata: %/layers/config/metadata.toml:1:13: "processes" is not an array of tables'),
  ],
  [
    'direct that is neither',
    { metadata: '[[processes]]\ndirect = "x"\n' },
    failed('read metadata: %/layers/config/metadata.toml:2:10: true or false was expected'),
  ],
  [
    'a zero byte in a command',
    { metadata: '[[processes]]\ncommand = ["a\\u0000"]\n' },
    failed(
      'read metadata: %/layers/config/metadata.toml:2:12: the string contains a zero byte, which no argument of a process can',
    ),
  ],
  [
    'not UTF-8',
    { metadata: Buffer.from('a = "\xff"\n', 'latin1') },
    failed('read metadata: %/layers/config/metadata.toml:1:6: it is not UTF-8'),
  ],
  [
    'inline tables',
    {
      argv0: 'web',
      metadata:
        "buildpacks = [{id = 'a/b', api = '0.12'}]\nprocesses = [{type = 'web', command = ['show', '\\'], direct = true, buildpack-id = 'a/b', other.x = 1}]\n",
    },
    { args: ['\\'] },
  ],
  [
    'a buildpack without id',
    { metadata: '[[buildpacks]]\napi = "0.12"\n' },
    failed('read metadata: %/layers/config/metadata.toml:1:13: the buildpack has no "id"'),
  ],
];

/** Versions and whether they are known. */
const PLATFORM_APIS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`0.${i + 7}`, true])),
  '0.6': false,
  '0.16': false,
  '1.0': false,
  '0': false,
  'v0.12': true,
  '0.12x': false,
  x: false,
  '0.99999999999999999999': false,
};
const BUILDPACK_APIS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`0.${i + 7}`, true])),
  '0.6': false,
  '0.13': false,
  '1': false,
  '': false,
};

/** Every rule of a launcher, one test each group; rows are told by their names. */
export function launcherSuite(name: string, under: LauncherUnderTest, o: { skip?: string | false } = {}): void {
  const skip = o.skip ?? false;
  const rig = new LauncherRig(under);
  after(() => rig[Symbol.dispose]());

  const rows = (group: string, table: readonly Row[]): void => {
    test(`${name}: ${group}`, { skip }, () => {
      for (const [row, launch, expected] of table) verify(row, rig.launch(launch), expected);
    });
  };
  rows('the process', CHOICE);
  rows('execution environments', EXEC_ENVS);
  rows(
    'arguments',
    ARGUMENTS.map(([platform, api, command, args, given, expected]) => [
      JSON.stringify([platform, api, command, args, given]),
      {
        argv0: '/cnb/process/web',
        platform,
        args: given,
        metadata: metadataOf({ 'a/b': api }, { type: 'web', command, args, direct: true, ...OWN }),
      },
      { args: expected },
    ]),
  );
  rows(
    'variables',
    ENVIRONMENT.map(([row, files, env, after]) => [
      row,
      {
        argv0: 'web',
        files,
        env,
        metadata: metadataOf({ 'a/b': '0.12', '0x': '0.7' }, { type: 'web', command: ['show'], direct: true, ...OWN }),
      },
      { env: after },
    ]),
  );
  rows('exec.d', EXEC_D);
  test(`${name}: no file of exec.d is left open in the process`, { skip }, () => {
    const open: LaunchCase = {
      argv0: 'web',
      metadata: direct({ command: ['sh', '-c', 'for f in /proc/$$/fd/*; do echo "${f##*/}"; done'] }),
    };
    const without = rig.launch(open);
    const after = rig.launch({ ...open, files: { 'layers/a_b/l/exec.d/one': tells('A="1"') } });
    assert.match(without.stdout, /^0\n1\n2\n/);
    assert.equal(after.stdout, without.stdout);
  });
  rows('the start', STARTS);
  rows('metadata.toml', METADATA);
  rows('platform APIs', [
    ...Object.entries(PLATFORM_APIS).map(([platform, known]): Row => [
      platform,
      { platform, args: ['--', 'show'], metadata: WEB },
      known
        ? { args: [] }
        : failed(
            `set platform API: platform API version '${platform}' is incompatible with the lifecycle; it knows 0.7 to 0.15`,
            11,
          ),
    ]),
    ...['', ' \t', undefined].map((value): Row => [
      `none: ${JSON.stringify(value)}`,
      { env: { CNB_PLATFORM_API: value }, metadata: WEB },
      failed("get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version", 11),
    ]),
  ]);
  rows(
    'buildpack APIs',
    Object.entries(BUILDPACK_APIS).map(([api, known]) => [
      api,
      { args: ['--', 'show'], metadata: metadataOf({ 'x/y': api }) },
      known
        ? { args: [] }
        : failed(
            `set API for buildpack 'x/y': buildpack API version '${api}' is incompatible with the lifecycle; it knows 0.7 to 0.12`,
            12,
          ),
    ]),
  );
}

function verify(row: string, got: Launched, expected: Expected): void {
  const about = `${row}: ${got.stderr}${got.stdout.slice(0, 400)}`;
  assert.equal(got.code, expected.code ?? 0, about);
  if (expected.stderr !== undefined) assert.equal(got.stderr, expected.stderr, row);
  if (expected.stdout !== undefined) assert.equal(got.stdout, expected.stdout, row);
  if (expected.args) assert.deepEqual(got.shown?.args, expected.args, about);
  if (expected.cwd !== undefined) assert.equal(got.shown?.cwd, expected.cwd, about);
  for (const [key, value] of Object.entries(expected.env ?? {}))
    assert.equal(got.shown?.env[key], value, `${about}: ${key}`);
}
