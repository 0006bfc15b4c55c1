import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const MIB = 2 ** 20;
const CONTEXT_MIB = FULL ? 2048 : 256;
const LAYER_MIB = FULL ? 3072 : 256;
const LIMIT_MIB = 300;

/** The most memory the process with this pid has had so far, MiB; polled, since it is gone when the process is. */
function watch(pid: number): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const kib = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      peak = Math.max(peak, Number(kib ?? 0) / 1024);
    } catch {
      // It has ended.
    }
  }, 50);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

describe('bounded memory (must show 9)', () => {
  test(`a context of ${CONTEXT_MIB} MiB and a layer of ${LAYER_MIB} MiB build within ${LIMIT_MIB} MiB`, async (t) => {
    using store = await storeWithBase();
    const files = 8;
    const piece = Buffer.alloc(MIB);
    for (let i = 0; i < files; i++) {
      const fd = openSync(join(store.work, `part-${i}`), 'w');
      for (let written = 0; written < (CONTEXT_MIB * MIB) / files; written += piece.length) {
        for (let at = 0; at < piece.length; at += 4)
          piece.writeUInt32LE(((at * 2654435761) ^ (written >>> 8) ^ i) >>> 0, at);
        writeSync(fd, piece);
      }
      closeSync(fd);
    }
    writeFileSync(
      join(store.work, 'Dockerfile'),
      `FROM ${BASE}\nCOPY part-* /data/\nRUN head -c ${LAYER_MIB}M /dev/urandom > /blob\n`,
    );
    writeFileSync(join(store.work, '.dockerignore'), 'Dockerfile\n');
    let stop = (): number => 0;
    await ok(['build', '--progress=plain', '-o', `type=oci,dest=${join(store.work, '../out.tar')}`, store.work], {
      root: store.root,
      onStart: (pid) => (stop = watch(pid)),
    });
    const peak = stop();
    t.diagnostic(`peak ${Math.round(peak)} MiB`);
    assert.ok(peak > 20, 'the process was watched');
    assert.ok(peak < LIMIT_MIB, `peak ${Math.round(peak)} MiB`);
  });
});
