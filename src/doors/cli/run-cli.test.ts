import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import type { Io } from './io.ts';
import { styleFor } from './print/style.ts';
import { runCli } from './run-cli.ts';

/** A command line in a world of its own. */
async function strake(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const screen = (write: (text: string) => void): Io['stdout'] => ({
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    write,
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  });
  const io: Io = {
    env: {},
    cwd: '/nowhere',
    home: '/nowhere',
    stdin: Readable.from([]),
    stdout: screen((text) => (out += text)),
    stderr: screen((text) => (err += text)),
    outStyle: styleFor(false),
    errStyle: styleFor(false),
    clock: { now: () => 0 },
    random: { hex: (bytes) => '0'.repeat(bytes * 2) },
  };
  const code = await runCli(argv, { io, signal: new AbortController().signal });
  return { code, out, err };
}

suite('command lines', () => {
  test('no word is help', async () => {
    const { code, out, err } = await strake();
    assert.equal(code, 0);
    assert.equal(err, '');
    assert.match(out, /^Usage: strake <command>/);
    for (const name of ['build', 'images', 'doctor', 'completion']) assert.match(out, new RegExp(`^  ${name}\\b`, 'm'));
    for (const line of out.split('\n')) assert.ok(line.length <= 80, line);
  });

  test('an unknown command, with what was meant', async () => {
    assert.deepEqual(await strake('biuld', '.'), {
      code: 64,
      out: '',
      err: 'error: unknown command "biuld"\nhelp: Did you mean "build"? See "strake help".\n',
    });
    assert.equal((await strake('base', 'lst')).code, 64);
  });

  test('an unknown flag, with what was meant', async () => {
    assert.deepEqual(await strake('build', '--tga', 'x'), {
      code: 64,
      out: '',
      err: 'error: unknown option "--tga"\nhelp: Did you mean --tag? See "strake build --help".\n',
    });
  });

  test('what is missing, too many, or no choice', async () => {
    for (const [argv, message] of [
      [['tag', 'x'], /missing required argument "name"/],
      [['history', 'a', 'b'], /too many arguments/],
      [['build', '-t'], /option "-t, --tag <name>" argument missing/],
      [['build', '--progress', 'fancy'], /argument "fancy" is invalid.*auto, tty, plain/],
      [['build', '--network', 'bridge', '.'], /read --network "bridge": there is no such network/],
      [['build', '-o', 'type=x', '.'], /there is no type "x"/],
    ] as const) {
      const { code, out, err } = await strake(...argv);
      assert.equal(code, 64, argv.join(' '));
      assert.equal(out, '');
      assert.match(err, message);
      assert.match(err, /^help: /m);
    }
  });

  test('help of commands, and topics', async () => {
    const build = await strake('build', '--help');
    assert.equal(build.code, 0);
    assert.match(build.out, /Examples:\n {2}strake build \. -t app\n/);
    assert.equal((await strake('help', 'build')).out, build.out);
    assert.match((await strake('help', 'base', 'create')).out, /^Usage: strake base create /);
    assert.match((await strake('help', 'exit-codes')).out, /^ {3}64 {2}the command line/m);
    for (const topic of ['outputs', 'environment']) assert.equal((await strake('help', topic)).code, 0);
    assert.equal((await strake('help', 'nothing')).code, 64);
  });

  test('a flag of the program may stand before the command', async () => {
    const { code, out } = await strake('--root', '/x', 'version');
    assert.equal(code, 0);
    assert.match(out, /^strake \d/);
  });

  test('a context that is not there', async () => {
    const { code, err } = await strake('build', 'no-such-folder', '--root', '/nowhere/store');
    assert.equal(code, 66);
    assert.match(err, /^error: read the build context "no-such-folder": no such folder\nhelp: /);
  });

  test('completion scripts name every command and flag', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, out } = await strake('completion', shell);
      assert.equal(code, 0);
      for (const word of ['build', 'metadata-file', 'prune', 'create'])
        assert.ok(out.includes(word), `${shell}: ${word}`);
    }
  });
});
