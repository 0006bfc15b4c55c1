import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, gunzipSync, inflateRawSync } from 'node:zlib';
import * as fc from 'fast-check';
import { DEFLATE_BLOCK, DEFLATE_WINDOW, deflateBlock, GZIP_HEADER, gzipTrailer } from '../../src/tree/deflate.ts';
import { compile, filesOf } from './build.ts';

const root = join(import.meta.dirname, '../..');
const MEMORY = Buffer.alloc(DEFLATE_WINDOW + 2 * DEFLATE_BLOCK + (DEFLATE_BLOCK >> 3));
const RESULT = DEFLATE_WINDOW + DEFLATE_BLOCK;
const LEVELS = [1, 6];

/** One call: the block, after what came before it. */
function deflate(content: Uint8Array, o: { before?: Uint8Array; last: boolean; level: number }): Buffer {
  const before = (o.before ?? new Uint8Array(0)).slice(-DEFLATE_WINDOW);
  MEMORY.set(before, DEFLATE_WINDOW - before.length);
  MEMORY.set(content, DEFLATE_WINDOW);
  const size = deflateBlock(MEMORY, {
    start: DEFLATE_WINDOW,
    length: content.length,
    dictionary: before.length,
    last: o.last,
    level: o.level,
    at: RESULT,
  });
  return Buffer.from(MEMORY.subarray(RESULT, RESULT + size));
}

/** A gzip member made of blocks of these sizes (the last repeated). */
function gzip(content: Uint8Array, o: { sizes: readonly number[]; level: number }): Buffer {
  const parts: Buffer[] = [GZIP_HEADER];
  for (let at = 0, i = 0; at < content.length || i === 0; i++) {
    const size = o.sizes[Math.min(i, o.sizes.length - 1)]!;
    const next = Math.min(content.length, at + size);
    parts.push(
      deflate(content.subarray(at, next), {
        before: content.subarray(Math.max(0, at - DEFLATE_WINDOW), at),
        last: next === content.length,
        level: o.level,
      }),
    );
    at = next;
  }
  return Buffer.concat([...parts, gzipTrailer(crc32(content), content.length)]);
}

/** Numbers that look random and are the same in every run. */
function* noise(seed: number): Generator<number> {
  for (let x = seed >>> 0 || 1; ;) {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    yield x;
  }
}

function random(length: number, seed: number, mask = 0xff): Buffer {
  const numbers = noise(seed);
  return Buffer.from(Uint8Array.from({ length }, () => (numbers.next().value as number) & mask));
}

function text(length: number, seed: number): Buffer {
  const numbers = noise(seed);
  const words = [
    'layer',
    'image ',
    'the',
    ' a ',
    '\n',
    'digest:',
    'sha256',
    'export const ',
    '=> {',
    '0x',
    ';\n',
    'function',
    ' of ',
  ];
  let out = '';
  while (out.length < length) {
    const n = numbers.next().value as number;
    out += n % 7 === 0 ? String.fromCharCode(32 + (n % 90)) : words[n % words.length]!;
  }
  return Buffer.from(out.slice(0, length));
}

const KINDS: Readonly<Record<string, (length: number, seed: number) => Buffer>> = {
  zeros: (length) => Buffer.alloc(length),
  'one byte': (length) => Buffer.alloc(length, 0xa5),
  random: (length, seed) => random(length, seed),
  'few symbols': (length, seed) => random(length, seed, 3),
  'skewed symbols': (length, seed) => random(length, seed).map((x) => (x < 200 ? 65 : x)) as Buffer,
  text,
  periodic: (length, seed) => Buffer.alloc(length, random(1 + (seed % 300), seed + 1)),
  'far matches': (length, seed) => Buffer.alloc(length, random(32_760 + (seed % 20), seed)),
  fibonacci: (length) => {
    // Frequencies that ask for codes longer than 15 bits.
    const out = Buffer.alloc(length);
    for (let at = 0, a = 1, b = 1, symbol = 0; at < length; symbol++) {
      out.fill(symbol, at, Math.min(length, at + a));
      at += a;
      [a, b] = symbol % 40 === 39 ? [1, 1] : [b, a + b];
    }
    const numbers = noise(7);
    for (let i = length - 1; i > 0; i--) {
      const j = (numbers.next().value as number) % (i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  },
};

test('deflate.wasm and the module that carries it are what the source gives', async () => {
  for (const [path, content] of filesOf(await compile()))
    assert.ok(readFileSync(join(root, path)).equals(Buffer.from(content)), `${path}: run npm run build:deflate`);
});

const SIZES = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  9,
  15,
  16,
  17,
  31,
  32,
  33,
  257,
  258,
  259,
  260,
  511,
  512,
  513,
  4095,
  4096,
  32_767,
  32_768,
  32_769,
  65_534,
  65_535,
  65_536,
  98_303,
  98_304,
  98_305,
  131_071,
  262_145,
  DEFLATE_BLOCK - 1,
  DEFLATE_BLOCK,
];

for (const [kind, make] of Object.entries(KINDS))
  test(`${kind}: every boundary size is inflated by zlib`, () => {
    for (const level of LEVELS)
      for (const size of SIZES) {
        const content = make(size, size + 1);
        const last = deflate(content, { last: true, level });
        assert.ok(content.equals(inflateRawSync(last)), `${size}, level ${level}`);
        // A part that is not the last ends on a byte; the end of the stream can follow it at once.
        const part = deflate(content, { last: false, level });
        assert.ok(
          content.equals(inflateRawSync(Buffer.concat([part, Buffer.from([3, 0])]))),
          `${size}, level ${level}, not last`,
        );
        assert.ok(
          part.length <= size + 5 * Math.ceil(size / 65_535 + size / 32_768) + 16,
          `${size} became ${part.length}`,
        );
      }
  });

test('random content in random blocks is one member for zlib', () => {
  const kind = fc.constantFrom(...Object.keys(KINDS));
  const piece = fc.record({ kind, size: fc.nat(9000), seed: fc.nat() });
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(...LEVELS),
      (pieces, sizes, level) => {
        const content = Buffer.concat(pieces.map((p) => KINDS[p.kind]!(p.size, p.seed)));
        assert.ok(content.equals(gunzipSync(gzip(content, { sizes, level }))));
      },
    ),
    { numRuns: 150 },
  );
});

test('matches reach back over the border of a block, as far as 32 KiB', () => {
  for (const level of LEVELS)
    for (const distance of [1, 5, 32_767, 32_768]) {
      const content = Buffer.alloc(DEFLATE_BLOCK + 60_000, random(distance, distance));
      const parts = gzip(content, { sizes: [DEFLATE_BLOCK], level });
      assert.ok(content.equals(gunzipSync(parts)));
      const alone = deflate(content.subarray(DEFLATE_BLOCK, DEFLATE_BLOCK + 20_000), { last: true, level });
      const after = deflate(content.subarray(DEFLATE_BLOCK, DEFLATE_BLOCK + 20_000), {
        before: content.subarray(0, DEFLATE_BLOCK),
        last: true,
        level,
      });
      assert.ok(distance < 1000 || after.length < alone.length / 20, `${distance}: ${after.length} of ${alone.length}`);
    }
});

test('the result depends on nothing but the block: not on what was compressed before', () => {
  const numbers = noise(11);
  for (const level of LEVELS) {
    const content = text(200_000, 3);
    const before = text(DEFLATE_WINDOW, 4);
    const first = deflate(content, { before, last: false, level });
    for (let i = 0; i < 5; i++) {
      deflate(random(DEFLATE_BLOCK, numbers.next().value as number), {
        before: text(DEFLATE_WINDOW, i),
        last: true,
        level: LEVELS[i % 2]!,
      });
      assert.ok(first.equals(deflate(content, { before, last: false, level })));
    }
  }
});

test('gzip -t accepts a member of several blocks', () => {
  for (const level of LEVELS) {
    const content = Buffer.concat([text(1_500_000, 5), random(700_000, 6), Buffer.alloc(900_000)]);
    const member = gzip(content, { sizes: [DEFLATE_BLOCK], level });
    const checked = spawnSync('gzip', ['-t'], { input: member });
    assert.equal(checked.status, 0, checked.stderr.toString());
    assert.deepEqual([...member.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  }
});

test('it is dense enough to be of use', () => {
  const content = readFileSync(join(root, 'node_modules/@types/node/fs.d.ts')).subarray(0, DEFLATE_BLOCK);
  const [fast = 1, dense = 1] = LEVELS.map((level) => deflate(content, { last: true, level }).length / content.length);
  assert.ok(fast < 0.25, `level 1: ${fast}`);
  assert.ok(dense < fast * 0.9, `level 6: ${dense}`);
});
