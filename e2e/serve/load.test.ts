import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError } from '../../src/base/index.ts';
import { openConnection, StatusError } from '../../src/wire/grpc/index.ts';
import { Control } from '../../src/wire/gen/buildkit/control_pb.ts';
import { strake } from '../lib/strake.ts';
import { buildLikeBuildx, Daemon } from './client.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const KILLS = FULL ? 20 : 3;
const CLIENTS = FULL ? 50 : 10;

const files = (seed: string): Record<string, string> => ({
  Dockerfile: ['FROM scratch', ...Array.from({ length: 8 }, (_, at) => `COPY f${at} /f${at}`), ''].join('\n'),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`f${at}`, `${seed} ${at}\n`.repeat(2000)])),
});

test(`a daemon that is killed ${KILLS} times under five clients: clean errors, a store that verifies, right builds`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-killed-'));
  try {
    for (let round = 0; round < KILLS; round++) {
      const daemon = await Daemon.start(join(folder, 'daemon'));
      const connections = await Promise.all(Array.from({ length: 5 }, () => daemon.connect()));
      const builds = connections.map((connection, at) =>
        buildLikeBuildx(connection, {
          ref: `k${round}-${at}`,
          files: files(`${round} ${at}`),
          folder,
          output: join(folder, `k${round}-${at}.tar`),
          exporters: [{ Type: 'oci', Attrs: {} }],
        }),
      );
      const settled = Promise.allSettled(builds);
      await new Promise((resolve) => setTimeout(resolve, (round * 97) % 500));
      daemon.process.kill('SIGKILL');
      await daemon.exited;
      for (const one of await settled)
        if (one.status === 'rejected')
          assert.ok(one.reason instanceof StatusError || one.reason instanceof CodedError, String(one.reason));
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      // An archive appears when it is whole.
      for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.tar'))) rmSync(join(folder, name));
      await using next = await Daemon.start(join(folder, 'daemon'));
      await using connection = await next.connect();
      const outcome = await buildLikeBuildx(connection, {
        ref: `again${round}`,
        files: files(`${round} 0`),
        folder,
        output: join(folder, 'again.tar'),
        exporters: [{ Type: 'oci', Attrs: { name: `example/again:${round}` } }],
      });
      assert.match(outcome.response['containerimage.digest'] ?? '', /^sha256:/);
      const active: string[] = [];
      for await (const { record } of connection
        .client(Control)
        .listenBuildHistory({ ActiveOnly: true, EarlyExit: true }))
        active.push(record?.Ref ?? '');
      assert.deepEqual(active, []);
    }
    const checked = await strake(['doctor', '--check-store'], { root: join(folder, 'daemon/store') });
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test(`${CLIENTS} clients build at once`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-many-'));
  try {
    await using daemon = await Daemon.start(join(folder, 'daemon'));
    const begun = performance.now();
    const times = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, at) => {
        const connection = await openConnection({ kind: 'unix', path: daemon.socket });
        await using held = connection;
        void held;
        const { response } = await buildLikeBuildx(connection, {
          ref: `many${at}`,
          files: files(String(at)),
          folder,
          output: join(folder, `many${at}.tar`),
          exporters: [{ Type: 'oci', Attrs: {} }],
        });
        assert.match(response['containerimage.digest'] ?? '', /^sha256:/);
        return performance.now() - begun;
      }),
    );
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8'))?.[1];
    t.diagnostic(
      `first ${Math.round(Math.min(...times))} ms, last ${Math.round(Math.max(...times))} ms, peak ${Math.round(Number(peak) / 1024)} MiB`,
    );
    assert.ok(Number(peak) < 1024 * 1024, 'below 1 GiB');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what is no tunnel, too large or from nowhere is refused, and the daemon serves on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-bad-'));
  try {
    await using daemon = await Daemon.start(join(folder, 'daemon'));
    await using bad = await daemon.connect();
    const control = bad.client(Control);
    const session = async (data: Uint8Array, headers: Record<string, string>): Promise<void> => {
      const messages = (async function* () {
        yield { data };
      })();
      for await (const _ of control.session(messages, { headers, timeoutMs: 2000 })) void _;
    };
    await assert.rejects(session(Buffer.from('no http2 at all'), {}), /names none/);
    await session(Buffer.from('no http2 at all'), { 'x-docker-expose-session-uuid': 'odd' }).catch(() => undefined);
    await assert.rejects(
      control.solve({ Ref: 'large', FrontendAttrs: { a: 'x'.repeat(17 << 20) } }),
      (error) => error instanceof StatusError,
    );
    await using good = await daemon.connect();
    const outcome = await buildLikeBuildx(good, { ref: 'good', files: files('good'), folder });
    assert.ok(outcome.result);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
