import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { folderWith, noBusybox } from '../cli/context.ts';
import { hostTools } from '../lib/host-tools.ts';
import { leftovers } from '../lib/leftovers.ts';
import { foundBelow, formsOf } from '../lib/search.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake } from '../lib/strake.ts';
import { noTerminal, onTerminal, type OnTerminal } from '../lib/terminal.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

const launcher = join(CHECKOUT, 'strake');
const missing = noBusybox ?? noTerminal ?? (process.getuid?.() === 0 ? undefined : 'not root');
const TOOLS = 'cat echo id ls sh sleep stat stty touch tty wc';
/** Beside the step that fails one runs that would never end. */
const DOCKERFILE = `FROM scratch AS tools
COPY root /
FROM tools AS endless
RUN echo endless; sleep 1000
FROM tools AS failing
ARG TARGETARCH
ENV MINE="of the step"
RUN --mount=type=cache,target=/cache echo kept >/cache/first
COPY --chown=7:8 mine /work
WORKDIR /work
USER 7:8
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/bound --mount=type=tmpfs,target=/t,size=1m \\
    --mount=type=secret,id=file,uid=7 --mount=type=secret,id=var,env=VARIABLE --mount=type=ssh,uid=7 --network=none \\
    echo left >file && sleep 0.5; echo gone; exit 9
FROM tools
COPY --from=endless / /
COPY --from=failing / /
`;

/** A root of busybox alone, with a shell at /bin/sh, and programs of this machine to ask an ssh agent. */
function contextIn(store: TestStore, dockerfile: string): { context: string; loader: string } {
  const context = folderWith(join(store.work, 'context'), { Dockerfile: dockerfile, 'mine/file': 'bound\n' });
  const bin = join(context, 'root/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(findTool('busybox') ?? '', join(bin, 'busybox'));
  for (const tool of TOOLS.split(' ')) execFileSync('ln', ['-s', 'busybox', join(bin, tool)]);
  const loader = hostTools(join(context, 'root/tools'), ['ssh-add']);
  return { context, loader };
}

/** Waits for the shell, lets it run a line, and gives what that said. */
async function typed(it: OnTerminal, line: string): Promise<string> {
  const before = it.said().length;
  it.type(`${line}; echo "end:$?"\n`);
  await it.says(new RegExp(`^[^]{${before}}[^]*\\nend:\\d+\\r`));
  return it.said().slice(before).replaceAll('\r', '');
}

/** False for one that has ended, though nobody has asked for its end yet. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** What is much like its neighbours. */
function shortened(what: string): string | false {
  const full = process.env['STRAKE_TEST_FULL'] === '1';
  return !full && ['runc', 'SIGINT', 'SIGHUP'].includes(what) && 'in npm run test:full only';
}

const OPEN = /\nshell: (.*) in the step's root, as it left it; "exit" ends the build\r/;

suite('--on-error=shell', { skip: missing ?? false }, () => {
  const sees = async (flags: readonly string[], user?: TestUser): Promise<void> => {
    using store = emptyStore(user);
    // One step at a time, on the machine's network.
    const oneRoot = flags.includes('--ground=chroot');
    const { context, loader } = contextIn(
      store,
      oneRoot
        ? DOCKERFILE.replaceAll(/ --network=none|^FROM tools AS endless\n.*\n|^COPY --from=endless.*\n/gm, '')
        : DOCKERFILE,
    );
    const keys = join(store.work, 'keys');
    mkdirSync(keys);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'the-key', '-f', join(keys, 'key')]);
    writeFileSync(join(keys, 'file'), 'content-of-the-secret');
    if (user) for (const name of ['.', 'key', 'file']) chownSync(join(keys, name), user.uid, user.gid);
    const args = [`--secret=id=file,src=${keys}/file`, '--secret=id=var,env=VALUE', `--ssh=default=${keys}/key`];
    const command = `${launcher} build --progress=plain --on-error=shell ${[...flags, ...args].join(' ')} ${context}`;
    const o = { root: store.root, user, cwd: user?.home, env: { VALUE: 'value-of-the-secret' } };
    const it = onTerminal(command, o);
    const [, shell] = await it.says(OPEN);
    assert.equal(shell, '/bin/sh');
    assert.match(it.said(), /\n > \[failing 4\/4\][^]*: exit code: 9\r\nshell: /);
    assert.equal(/\n#\d+ CANCELED\r[^]*\nshell: /.test(it.said()), !oneRoot);
    const said = await typed(
      it,
      'cat file /cache/first /bound/mine/file; id -u; id -g; pwd; stty size; echo "<$MINE $TERM>"; stat -c %F /t; wc -c /run/secrets/file; ' +
        'echo ${#VARIABLE}; ls /sys/class/net 2>/dev/null | wc -l; ' +
        `/tools/lib/${loader} --library-path /tools/lib /tools/ssh-add -l`,
    );
    assert.match(said, /\nleft\nkept\nbound\n7\n8\n\/work\n30 90\n<of the step xterm>\ndirectory\n21 .*\n19\n/, said);
    assert.match(said, /256 SHA256:.* the-key \(ED25519\)\nend:0\n/, said);
    await typed(it, 'echo made-in-the-shell >made-there; touch /bound/made; echo said-in-the-shell; stat /proc/self');
    // Keys go to what runs in the shell, Ctrl-C too, and sizes are passed on.
    it.type('sh -c "echo now; exec sleep 1000"\n');
    await it.says(/\nnow\r/);
    it.type('\x03');
    // What is typed before the shell asks again is lost.
    await it.says(/\nnow\r[^]*\^C[^]*\n\/work \$ /);
    assert.match(await typed(it, 'echo alive'), /\nalive\n/);
    execFileSync('stty', ['-F', readlinkSync(`/proc/${await it.pid()}/fd/0`), 'cols', '70']);
    await typed(it, 'while [ "$(stty size)" != "30 70" ]; do sleep 0.1; done');
    it.type('exit 3\n');
    assert.equal(await it.ended, 1);
    const end = it.said().slice(it.said().lastIndexOf('exit 3')).replaceAll('\r', '');
    assert.match(end, /\n#\d+ ERROR: process .* exit code: 9\n[^]*error: Dockerfile:\d+:1: process [^]*exit code: 9\n/);
    assert.equal(it.said().match(/------\r\n > \[failing/g)?.length, 1, 'its log is shown once');
    assert.match(end, /\nreproduce: .* build --on-error=shell --target failing /);
    assert.deepEqual(leftovers(store.root), []);
    const needles = ['made-in-the-shell', 'said-in-the-shell', 'made-there', 'value-of-the-secret'];
    const { found } = foundBelow(
      store.root,
      needles.flatMap((text) => formsOf(text, Buffer.from(text))),
    );
    assert.deepEqual(found, []);
    assert.ok(!existsSync(join(context, 'made')));
    await ok(['doctor', '--check-store'], { root: store.root, user, cwd: user?.home });
  };

  for (const executor of ['crun', 'runc', 'builtin'])
    test(
      `as root by ${executor}: all that the step had, and nothing of it afterwards`,
      { skip: shortened(executor) },
      () => sees([`--executor=${executor}`]),
    );
  test('as root by chroot', () => sees(['--ground=chroot']));
  test('as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await sees([], user);
  });

  test('the step’s own shell, another where that is gone, none where there is none', async () => {
    using store = emptyStore();
    const { context } = contextIn(
      store,
      `FROM scratch AS tools
COPY root /
FROM tools AS own
COPY root/bin/busybox /own/ash
SHELL ["/own/ash", "-ec"]
RUN false
FROM own AS lost
RUN busybox rm /own/ash && exit 4
FROM tools AS exec
RUN ["/bin/cat", "/none"]
FROM scratch AS none
COPY root/bin/busybox /bin/cat
RUN ["/bin/cat", "/none"]
`,
    );
    const build = (target: string): OnTerminal =>
      onTerminal(`${launcher} build -q --on-error=shell --target ${target} ${context}`, { root: store.root });
    for (const [target, shell] of [
      ['own', '/own/ash'],
      ['exec', '/bin/sh'],
    ] as const) {
      const it = build(target);
      assert.equal((await it.says(OPEN))[1], shell);
      it.type('exit\n');
      assert.equal(await it.ended, 1);
    }
    writeFileSync(
      join(context, 'Dockerfile'),
      readFileSync(join(context, 'Dockerfile'), 'utf8').replace('RUN false', 'RUN busybox true'),
    );
    const lost = build('lost');
    assert.equal((await lost.says(OPEN))[1], '/bin/sh');
    lost.type('exit\n');
    assert.equal(await lost.ended, 1);
    const none = build('none');
    assert.equal(await none.ended, 1);
    assert.match(none.said(), /\nnote: no shell was opened: there is none that runs in the step's root\r\nerror: /);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('without a terminal the build fails as ever, and says so in a line', async () => {
    using store = emptyStore();
    const { context } = contextIn(store, 'FROM scratch\nCOPY root /\nRUN exit 9\n');
    const { code, stderr } = await strake(['build', '-q', '--on-error=shell', context], store);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /\nnote: --on-error=shell: no shell was opened: standard input is not a terminal\nreproduce: /,
    );
    assert.equal((await strake(['build', '--on-error=look', context], store)).code, 64);
  });

  for (const [how, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['the end of the terminal', 137],
  ] as const)
    test(`${how} ends the shell and the build, and leaves nothing`, { skip: shortened(how) }, async () => {
      using store = emptyStore();
      const mount = '--mount=type=bind,source=mine,target=/b,rw';
      const { context } = contextIn(store, `FROM scratch\nCOPY root /\nRUN ${mount} echo new >/b/file; exit 9\n`);
      const it = onTerminal(`${launcher} build -q --on-error=shell ${context}`, { root: store.root });
      await it.says(OPEN);
      assert.match(await typed(it, 'sleep 1000 & cat /b/file'), /\nnew\n/);
      const pid = await it.pid();
      if (how === 'the end of the terminal') it.hangUp();
      else process.kill(pid, how);
      assert.equal(await it.ended, code, it.said());
      while (runs(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(leftovers(store.root), []);
      await ok(['doctor', '--check-store'], store);
    });

  test('the line that a failure ends with comes there when it is pasted', async () => {
    using store = emptyStore();
    const { context } = contextIn(
      store,
      'FROM scratch AS one\nCOPY root /\nARG A\nRUN echo "$A" >/a; exit 9\nFROM one\n',
    );
    const { stderr } = await strake(['build', '-q', '--build-arg', 'A=b c', context], store);
    const line = /^reproduce: (.*)$/m.exec(stderr)?.[1] ?? '';
    const it = onTerminal(line, { root: store.root });
    await it.says(OPEN);
    assert.match(await typed(it, 'cat /a'), /\nb c\nend:0\n/);
    // The terminal is as it was.
    it.type('exit\n');
    assert.equal(await it.ended, 1);
    const after = onTerminal(`sh -c '${line.replaceAll("'", `'\\''`)}; stty -a'`, { root: store.root });
    await after.says(OPEN);
    after.type('exit\n');
    assert.equal(await after.ended, 0);
    assert.match(after.said(), /[ ;]icanon [^]*[ ;]echo /);
  });
});
