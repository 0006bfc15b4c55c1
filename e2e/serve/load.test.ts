import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openConnection, StatusError } from '../../src/wire/grpc/index.ts';
import { Control } from '../../src/wire/gen/buildkit/control_pb.ts';
import { buildLikeBuildx, Daemon } from './client.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const CLIENTS = FULL ? 50 : 10;

const files = (seed: string): Record<string, string> => ({
  Dockerfile: ['FROM scratch', ...Array.from({ length: 8 }, (_, at) => `COPY f${at} /f${at}`), ''].join('\n'),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`f${at}`, `${seed} ${at}\n`.repeat(2000)])),
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
