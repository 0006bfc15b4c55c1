/**
 * Deflate (RFC 1951) of one block of a larger stream, compiled to WebAssembly by AssemblyScript.
 *
 * A block of up to 1 MiB, with up to 32 KiB of what came before it as dictionary, becomes deflate blocks that end on a byte: by an empty stored block (as zlib's Z_SYNC_FLUSH), or by the final one.
 * So results of consecutive blocks, made anywhere and in any order, are one stream when put together. The result depends on the bytes and the level only.
 *
 * Level 1: one candidate a position (hash of 5 bytes), greedy. Level 6: hash chains, lazy matching. Both: deflate blocks of dynamic, fixed or no compression, whichever is smallest.
 */

const WINDOW: i32 = 32768;
const MAX_BLOCK: i32 = 1 << 20;

// Memory, from the first 64 KiB on (which the compiler may use).
const IN: usize = 0x10000;
const DATA: usize = IN + 32768;
const OUT: usize = DATA + 0x100000 + 0x1000;
const HASH: usize = OUT + 0x120000;
const HASH_BITS: u32 = 16;
const HASH_BYTES: usize = 4 << 16;
const PREV: usize = HASH + HASH_BYTES;
const SEQ: usize = PREV + 4 * 32768;
const MAX_SEQ: i32 = 1 << 14;
const FREQ: usize = SEQ + 8 * 16384 + 64; // u32[288] literals and lengths, u32[32] distances
const DFREQ: usize = FREQ + 4 * 288;
const FREQ2: usize = DFREQ + 4 * 32; // u32[256], a second count of literals
const CODE: usize = FREQ2 + 4 * 256; // u32[288] code | length << 24
const DCODE: usize = CODE + 4 * 288;
const LENS: usize = DCODE + 4 * 32; // u8[320] code lengths; behind those of literals, those of distances are put
const DLENS: usize = LENS + 320; // u8[32]
const RLE: usize = LENS + 512; // u16[320] symbol | extra << 8
const CFREQ: usize = RLE + 2 * 512;
const CCODE: usize = CFREQ + 4 * 32;
const CLENS: usize = CCODE + 4 * 32;
const SORT: usize = CLENS + 64; // u32[288]
const TREE: usize = SORT + 4 * 320; // u32[288]
const COUNT: usize = TREE + 4 * 320; // u32[64]
const LEN_SYM: usize = COUNT + 4 * 64; // u32[260] symbol | extra bits << 9 | base << 16, by match length
const DIST_SYM: usize = LEN_SYM + 4 * 260; // u8[512]
const DIST_INFO: usize = DIST_SYM + 512; // u32[32] extra bits | base << 8
const LITS: usize = DIST_INFO + 4 * 32; // u32[260] by match length, when encoding: code of the length with its extra bits, and how many
const FIXED: usize = LITS + 8 * 260; // u32[288]
const DFIXED: usize = FIXED + 4 * 288;
const END: usize = DFIXED + 4 * 32;

let ready: bool = false;
let out: usize = OUT;
let bits: u64 = 0;
let count: u64 = 0;

/** Where the bytes before a block end and the block begins. */
export function input(): i32 {
  return <i32>DATA;
}

/** Where the result is. */
export function output(): i32 {
  return <i32>OUT;
}

/** Compresses `length` bytes at `input()`, after `dictionary` bytes right before them; returns the number of bytes at `output()`. */
export function compress(dictionary: i32, length: i32, last: i32, level: i32): i32 {
  if (!ready) init();
  out = OUT;
  bits = 0;
  count = 0;
  memory.fill(HASH, 0, HASH_BYTES);
  const end = DATA + <usize>length;
  // Loads reach up to 8 bytes past the end: they must not depend on what was there before.
  store<u64>(end, 0);
  if (level >= 6) lazy(DATA - <usize>dictionary, end, last);
  else greedy(DATA - <usize>dictionary, end, last);
  if (last) {
    if (length == 0) {
      put(3, 10);
    }
    align();
  } else {
    put(0, 3);
    align();
    store<u32>(out, 0xffff0000);
    out += 4;
  }
  return <i32>(out - OUT);
}

// @ts-ignore: decorator
@inline
function hash5(p: usize): usize {
  return HASH + (<usize>(((load<u64>(p) << 24) * 0x9e3779b185ebca87) >> (64 - HASH_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function hash4(p: usize): usize {
  return HASH + (<usize>((load<u32>(p) * 0x9e3779b1) >> (32 - HASH_BITS)) << 2);
}

/** How many bytes at `a` and `b` are equal, at most `max`, knowing that the first `from` are. */
// @ts-ignore: decorator
@inline
function common(a: usize, b: usize, from: usize, max: usize): usize {
  let n = from;
  while (n + 8 <= max) {
    const x = load<u64>(a + n) ^ load<u64>(b + n);
    if (x != 0) return n + <usize>(ctz<u64>(x) >> 3);
    n += 8;
  }
  while (n < max && load<u8>(a + n) == load<u8>(b + n)) n++;
  return n;
}

function greedy(dictionary: usize, end: usize, last: i32): void {
  let p = dictionary;
  // 4 bytes of a match, 8 of a load.
  const limit = end > 8 ? end - 8 : 0;
  for (; p < DATA && p < limit; p++) store<u32>(hash5(p), <u32>p);
  p = DATA;
  let begin = p;
  let literals = p;
  let seq = SEQ;
  let misses: usize = 0;
  while (p < limit) {
    const slot = hash5(p);
    const at = <usize>load<u32>(slot);
    store<u32>(slot, <u32>p);
    if (at != 0 && p - at <= <usize>WINDOW && load<u32>(at) == load<u32>(p)) {
      const most = end - p;
      const n = common(at, p, 4, most < 258 ? most : 258);
      store<u32>(seq, <u32>(p - literals));
      store<u32>(seq, <u32>((p - at - 1) | (n << 15)), 4);
      seq += 8;
      const next = p + n;
      if (next < limit) {
        store<u32>(hash5(p + 1), <u32>(p + 1));
        store<u32>(hash5(next - 2), <u32>(next - 2));
        store<u32>(hash5(next - 1), <u32>(next - 1));
      }
      p = next;
      literals = p;
      misses = 0;
      if (seq >= SEQ + 8 * (<usize>MAX_SEQ - 1) || p - begin >= SPAN) {
        encode(begin, p, seq, last != 0 && p == end);
        begin = p;
        seq = SEQ;
      }
    } else {
      p += 1 + (misses >> 5);
      misses++;
      if (p - begin >= SPAN) {
        if (p > end) p = end;
        store<u32>(seq, <u32>(p - literals));
        store<u32>(seq, 0, 4);
        encode(begin, p, seq + 8, last != 0 && p == end);
        begin = p;
        literals = p;
        seq = SEQ;
      }
    }
  }
  if (begin < end) {
    if (literals < end) {
      store<u32>(seq, <u32>(end - literals));
      store<u32>(seq, 0, 4);
      seq += 8;
    }
    encode(begin, end, seq, last != 0);
  }
}

/** How many bytes of input a deflate block is for, at least, unless there are many matches. */
const SPAN: usize = 32 * 1024;

const CHAIN: i32 = 24;
const NICE: usize = 96;

// @ts-ignore: decorator
@inline
function insert(p: usize): usize {
  const slot = hash4(p);
  const at = <usize>load<u32>(slot);
  store<u32>(slot, <u32>p);
  store<u32>(PREV + ((p & 32767) << 2), <u32>at);
  return at;
}

/** The longest match of at least `least` + 1 bytes at `p` along the chain from `at`: length | distance << 16; 0 for none. */
function longest(p: usize, first: usize, end: usize, least: usize, chain: i32): u32 {
  const most = end - p < 258 ? end - p : 258;
  let best = least;
  let distance: usize = 0;
  let at = first;
  if (best >= most) return 0;
  while (at != 0 && p - at <= <usize>WINDOW) {
    if (load<u8>(at + best) == load<u8>(p + best) && load<u32>(at) == load<u32>(p)) {
      const n = common(at, p, 4, most);
      if (n > best) {
        best = n;
        distance = p - at;
        if (n >= NICE || n >= most) break;
      }
    }
    if (--chain == 0) break;
    const before = <usize>load<u32>(PREV + ((at & 32767) << 2));
    // What is older than the window has been written over.
    if (before >= at) break;
    at = before;
  }
  return distance == 0 ? 0 : <u32>(best | (distance << 16));
}

function lazy(dictionary: usize, end: usize, last: i32): void {
  let p = dictionary;
  const limit = end > 8 ? end - 8 : 0;
  for (; p < DATA && p < limit; p++) insert(p);
  p = DATA;
  let begin = p;
  let literals = p;
  let seq = SEQ;
  let held: u32 = 0; // the match at p - 1
  while (p < limit) {
    const at = insert(p);
    const least: usize = held != 0 ? <usize>(held & 0xffff) : 3;
    const match = least < NICE ? longest(p, at, end, least, least >= 32 ? CHAIN >> 2 : CHAIN) : 0;
    if (held != 0 && match == 0) {
      const from = p - 1;
      const n = <usize>(held & 0xffff);
      store<u32>(seq, <u32>(from - literals));
      store<u32>(seq, <u32>((<usize>(held >> 16) - 1) | (n << 15)), 4);
      seq += 8;
      const next = from + n;
      for (p++; p < next && p < limit; p++) insert(p);
      p = next;
      literals = next;
      held = 0;
      if (seq >= SEQ + 8 * (<usize>MAX_SEQ - 1) || p - begin >= SPAN) {
        encode(begin, p, seq, last != 0 && p == end);
        begin = p;
        seq = SEQ;
      }
      continue;
    }
    held = match;
    p++;
    if (held == 0 && p - begin >= SPAN) {
      store<u32>(seq, <u32>(p - literals));
      store<u32>(seq, 0, 4);
      encode(begin, p, seq + 8, false);
      begin = p;
      literals = p;
      seq = SEQ;
    }
  }
  if (held != 0) {
    store<u32>(seq, <u32>(p - 1 - literals));
    store<u32>(seq, <u32>((<usize>(held >> 16) - 1) | (<usize>(held & 0xffff) << 15)), 4);
    seq += 8;
    literals = p - 1 + <usize>(held & 0xffff);
  }
  if (begin < end) {
    if (literals < end) {
      store<u32>(seq, <u32>(end - literals));
      store<u32>(seq, 0, 4);
      seq += 8;
    }
    encode(begin, end, seq, last != 0);
  }
}

/** Writes the input `from`..`to`, parsed as the sequences SEQ..`seqEnd` of literals and matches, as one deflate block (or stored ones). */
function encode(from: usize, to: usize, seqEnd: usize, final: bool): void {
  memory.fill(FREQ, 0, 4 * (288 + 32 + 256));
  let p = from;
  let extra: u64 = 0;
  for (let s = SEQ; s < seqEnd; s += 8) {
    const run = p + <usize>load<u32>(s);
    for (; p + 1 < run; p += 2) {
      const a = FREQ + (<usize>load<u8>(p) << 2);
      store<u32>(a, load<u32>(a) + 1);
      const b = FREQ2 + (<usize>load<u8>(p, 1) << 2);
      store<u32>(b, load<u32>(b) + 1);
    }
    if (p < run) {
      const a = FREQ + (<usize>load<u8>(p) << 2);
      store<u32>(a, load<u32>(a) + 1);
      p++;
    }
    const m = load<u32>(s, 4);
    if (m == 0) continue;
    const n = m >> 15;
    const l = load<u32>(LEN_SYM + (<usize>n << 2));
    const a = FREQ + (<usize>(l & 511) << 2);
    store<u32>(a, load<u32>(a) + 1);
    const d = distanceSymbol(m & 32767);
    const b = DFREQ + (d << 2);
    store<u32>(b, load<u32>(b) + 1);
    extra += <u64>((l >> 9) & 127) + <u64>(load<u32>(DIST_INFO + (d << 2)) & 255);
    p += <usize>n;
  }
  for (let i: usize = 0; i < 256; i++) store<u32>(FREQ + (i << 2), load<u32>(FREQ + (i << 2)) + load<u32>(FREQ2 + (i << 2)));
  store<u32>(FREQ + 4 * 256, 1);

  // Readers exist that want two distance codes.
  let used = 0;
  for (let i: usize = 0; i < 30; i++) if (load<u32>(DFREQ + (i << 2)) != 0) used++;
  for (let i: usize = 0; used < 2; i++)
    if (load<u32>(DFREQ + (i << 2)) == 0) {
      store<u32>(DFREQ + (i << 2), 1);
      used++;
    }

  codes(FREQ, 286, 15, LENS, CODE);
  codes(DFREQ, 30, 15, DLENS, DCODE);

  let literalCodes: usize = 286;
  while (literalCodes > 257 && load<u8>(LENS + literalCodes - 1) == 0) literalCodes--;
  let distanceCodes: usize = 30;
  while (distanceCodes > 1 && load<u8>(DLENS + distanceCodes - 1) == 0) distanceCodes--;
  const rleEnd = runs(literalCodes, distanceCodes);
  codes(CFREQ, 19, 7, CLENS, CCODE);
  let clenCodes: usize = 19;
  while (clenCodes > 4 && load<u8>(CLENS + order(clenCodes - 1)) == 0) clenCodes--;

  let dynamic: u64 = 3 + 14 + 3 * <u64>clenCodes + extra;
  for (let i: usize = 0; i < 19; i++) dynamic += <u64>load<u32>(CFREQ + (i << 2)) * (<u64>load<u8>(CLENS + i) + (i == 16 ? 2 : i == 17 ? 3 : i == 18 ? 7 : 0));
  let fixed: u64 = 3 + extra;
  for (let i: usize = 0; i < 286; i++) {
    const f = <u64>load<u32>(FREQ + (i << 2));
    dynamic += f * <u64>load<u8>(LENS + i);
    fixed += f * <u64>(load<u32>(FIXED + (i << 2)) >> 24);
  }
  for (let i: usize = 0; i < 30; i++) {
    const f = <u64>load<u32>(DFREQ + (i << 2));
    dynamic += f * <u64>load<u8>(DLENS + i);
    fixed += f * 5;
  }
  const raw = 8 * <u64>(to - from) + 40 * <u64>((to - from + 65534) / 65535);
  if (raw <= dynamic && raw <= fixed) {
    stored(from, to, final);
  } else if (fixed <= dynamic) {
    put(final ? 3 : 2, 3);
    body(from, seqEnd, FIXED, DFIXED);
  } else {
    put((final ? 1 : 0) | (2 << 1), 3);
    put(<u64>(literalCodes - 257), 5);
    put(<u64>(distanceCodes - 1), 5);
    put(<u64>(clenCodes - 4), 4);
    for (let i: usize = 0; i < clenCodes; i++) put(<u64>load<u8>(CLENS + order(i)), 3);
    for (let r = RLE; r < rleEnd; r += 2) {
      const symbol = <usize>load<u8>(r);
      const code = load<u32>(CCODE + (symbol << 2));
      put(<u64>(code & 0xffffff), <u64>(code >> 24));
      if (symbol >= 16) put(<u64>load<u8>(r, 1), symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
    }
    body(from, seqEnd, CODE, DCODE);
  }
}

/** The literals, matches and the end of a block in these codes. */
function body(from: usize, seqEnd: usize, code: usize, dcode: usize): void {
  // By match length: code and extra bits together, and their number.
  for (let n: usize = 3; n <= 258; n++) {
    const l = load<u32>(LEN_SYM + (n << 2));
    const c = load<u32>(code + (<usize>(l & 511) << 2));
    const more = (l >> 9) & 127;
    const width = c >> 24;
    store<u32>(LITS + (n << 3), (c & 0xffffff) | ((<u32>n - (l >> 16)) << width));
    store<u32>(LITS + (n << 3), width + more, 4);
  }
  let b = bits;
  let k = count;
  let o = out;
  let p = from;
  for (let s = SEQ; s < seqEnd; s += 8) {
    const run = p + <usize>load<u32>(s);
    for (; p + 2 < run; p += 3) {
      const x = load<u32>(code + (<usize>load<u8>(p) << 2));
      b |= <u64>(x & 0xffffff) << k;
      k += <u64>(x >> 24);
      const y = load<u32>(code + (<usize>load<u8>(p, 1) << 2));
      b |= <u64>(y & 0xffffff) << k;
      k += <u64>(y >> 24);
      const z = load<u32>(code + (<usize>load<u8>(p, 2) << 2));
      b |= <u64>(z & 0xffffff) << k;
      k += <u64>(z >> 24);
      store<u64>(o, b);
      o += <usize>(k >> 3);
      b >>= k & 56;
      k &= 7;
    }
    for (; p < run; p++) {
      const x = load<u32>(code + (<usize>load<u8>(p) << 2));
      b |= <u64>(x & 0xffffff) << k;
      k += <u64>(x >> 24);
    }
    // At most 7 + 30 bits here.
    store<u64>(o, b);
    o += <usize>(k >> 3);
    b >>= k & 56;
    k &= 7;
    const m = load<u32>(s, 4);
    if (m == 0) continue;
    const n = <usize>(m >> 15);
    const l = load<u64>(LITS + (n << 3));
    b |= (l & 0xffffffff) << k;
    k += l >> 32;
    const distance = m & 32767;
    const d = distanceSymbol(distance);
    const x = load<u32>(dcode + (d << 2));
    b |= <u64>(x & 0xffffff) << k;
    k += <u64>(x >> 24);
    const info = load<u32>(DIST_INFO + (d << 2));
    b |= <u64>(distance - (info >> 8)) << k;
    k += <u64>(info & 255);
    store<u64>(o, b);
    o += <usize>(k >> 3);
    b >>= k & 56;
    k &= 7;
    p += n;
  }
  bits = b;
  count = k;
  out = o;
  const x = load<u32>(code + 4 * 256);
  put(<u64>(x & 0xffffff), <u64>(x >> 24));
}

function stored(from: usize, to: usize, final: bool): void {
  for (let p = from; p < to; ) {
    const n = to - p < 65535 ? to - p : 65535;
    put(final && p + n == to ? 1 : 0, 3);
    align();
    store<u16>(out, <u16>n);
    store<u16>(out, ~(<u16>n), 2);
    memory.copy(out + 4, p, n);
    out += 4 + n;
    p += n;
  }
}

/** Appends up to 32 bits. */
function put(value: u64, width: u64): void {
  bits |= value << count;
  count += width;
  store<u64>(out, bits);
  out += <usize>(count >> 3);
  bits >>= count & 56;
  count &= 7;
}

/** Fills the byte begun with zeros. */
function align(): void {
  if (count > 0) out++;
  bits = 0;
  count = 0;
}

/** Symbol of a distance, counted from 0. */
// @ts-ignore: decorator
@inline
function distanceSymbol(distance: u32): usize {
  return <usize>(distance < 256 ? load<u8>(DIST_SYM + <usize>distance) : load<u8>(DIST_SYM + 256 + <usize>(distance >> 7)));
}

/** Order of the lengths of the code length code (RFC 1951 3.2.7). */
function order(i: usize): usize {
  if (i < 3) return 16 + i;
  if (i == 3) return 0;
  // 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15
  return i & 1 ? 8 - ((i - 3) >> 1) : 8 + ((i - 4) >> 1);
}

/** Code lengths of both codes as runs (RFC 1951 3.2.7), counted; returns the end of them. */
function runs(literalCodes: usize, distanceCodes: usize): usize {
  memory.fill(CFREQ, 0, 4 * 19);
  memory.copy(LENS + literalCodes, DLENS, distanceCodes);
  const total = literalCodes + distanceCodes;
  let r = RLE;
  for (let i: usize = 0; i < total; ) {
    const length = load<u8>(LENS + i);
    let n: usize = 1;
    while (i + n < total && load<u8>(LENS + i + n) == length) n++;
    i += n;
    if (length == 0) {
      while (n >= 11) {
        const m = n < 138 ? n : 138;
        r = rle(r, 18, <u8>(m - 11));
        n -= m;
      }
      if (n >= 3) {
        r = rle(r, 17, <u8>(n - 3));
        n = 0;
      }
    } else {
      r = rle(r, length, 0);
      n--;
      while (n >= 3) {
        const m = n < 6 ? n : 6;
        r = rle(r, 16, <u8>(m - 3));
        n -= m;
      }
    }
    for (; n > 0; n--) r = rle(r, length, 0);
  }
  return r;
}

function rle(r: usize, symbol: u8, extra: u8): usize {
  store<u8>(r, symbol);
  store<u8>(r, extra, 1);
  const f = CFREQ + (<usize>symbol << 2);
  store<u32>(f, load<u32>(f) + 1);
  return r + 2;
}

/** The Huffman code of `n` symbols by these frequencies, no code longer than `limit`: lengths, and codes (bits reversed) with length << 24. */
function codes(freq: usize, n: usize, limit: usize, lens: usize, code: usize): void {
  memory.fill(lens, 0, n);
  memory.fill(code, 0, n << 2);
  let m: usize = 0;
  for (let i: usize = 0; i < n; i++) {
    const f = load<u32>(freq + (i << 2));
    if (f != 0) {
      store<u32>(SORT + (m << 2), (f << 9) | <u32>i);
      m++;
    }
  }
  sort(m);
  if (m == 1) {
    const symbol = <usize>(load<u32>(SORT) & 511);
    store<u8>(lens + symbol, 1);
    store<u32>(code + (symbol << 2), 1 << 24);
    return;
  }
  depths(m);
  // How many codes of each length.
  memory.fill(COUNT, 0, 4 * 64);
  for (let i: usize = 0; i < m; i++) {
    const depth = <usize>load<u32>(TREE + (i << 2));
    const c = COUNT + ((depth < limit ? depth : limit) << 2);
    store<u32>(c, load<u32>(c) + 1);
  }
  // Those that were cut made the code too full: lengthen the deepest that can be, until it is just full.
  let total: u32 = 0;
  for (let i: usize = 1; i <= limit; i++) total += load<u32>(COUNT + (i << 2)) << <u32>(limit - i);
  while (total > <u32>1 << <u32>limit) {
    const deepest = COUNT + (limit << 2);
    store<u32>(deepest, load<u32>(deepest) - 1);
    for (let i = limit - 1; i > 0; i--) {
      const c = COUNT + (i << 2);
      if (load<u32>(c) != 0) {
        store<u32>(c, load<u32>(c) - 1);
        store<u32>(c, load<u32>(c, 4) + 2, 4);
        break;
      }
    }
    total--;
  }
  // The rarest get the longest.
  let i: usize = 0;
  for (let length = limit; length > 0; length--)
    for (let left = load<u32>(COUNT + (length << 2)); left > 0; left--) {
      store<u8>(lens + <usize>(load<u32>(SORT + (i << 2)) & 511), <u8>length);
      i++;
    }
  // Canonical codes (RFC 1951 3.2.2).
  let next: u32 = 0;
  for (let length: usize = 1; length <= limit; length++) {
    next = (next + (length == 1 ? 0 : load<u32>(COUNT + ((length - 1) << 2)))) << 1;
    store<u32>(TREE + (length << 2), next);
  }
  for (let i: usize = 0; i < n; i++) {
    const length = <u32>load<u8>(lens + i);
    if (length == 0) continue;
    const t = TREE + (<usize>length << 2);
    const c = load<u32>(t);
    store<u32>(t, c + 1);
    store<u32>(code + (i << 2), reversed(c, length) | (length << 24));
  }
}

function reversed(value: u32, width: u32): u32 {
  let x = value;
  x = ((x & 0x5555) << 1) | ((x >> 1) & 0x5555);
  x = ((x & 0x3333) << 2) | ((x >> 2) & 0x3333);
  x = ((x & 0x0f0f) << 4) | ((x >> 4) & 0x0f0f);
  x = ((x & 0x00ff) << 8) | ((x >> 8) & 0x00ff);
  return x >> (16 - width);
}

/** Shell sort of `m` keys at SORT, ascending. */
function sort(m: usize): void {
  for (let gap: usize = 57; gap > 0; gap = gap == 57 ? 23 : gap == 23 ? 10 : gap == 10 ? 4 : gap == 4 ? 1 : 0)
    for (let i = gap; i < m; i++) {
      const key = load<u32>(SORT + (i << 2));
      let j = i;
      for (; j >= gap && load<u32>(SORT + ((j - gap) << 2)) > key; j -= gap) store<u32>(SORT + (j << 2), load<u32>(SORT + ((j - gap) << 2)));
      store<u32>(SORT + (j << 2), key);
    }
}

/** Depth of each of `m` >= 2 leaves (weights at SORT, ascending) in a Huffman tree, at TREE, by Moffat's and Katajainen's method in place. */
function depths(m: usize): void {
  for (let i: usize = 0; i < m; i++) store<u32>(TREE + (i << 2), load<u32>(SORT + (i << 2)) >> 9);
  let leaf: usize = 2;
  let root: usize = 0;
  weigh(0, weight(0) + weight(1));
  for (let next: usize = 1; next < m - 1; next++) {
    let sum: u32;
    if (leaf >= m || weight(root) < weight(leaf)) {
      sum = weight(root);
      weigh(root, <u32>next);
      root++;
    } else {
      sum = weight(leaf);
      leaf++;
    }
    if (leaf >= m || (root < next && weight(root) < weight(leaf))) {
      sum += weight(root);
      weigh(root, <u32>next);
      root++;
    } else {
      sum += weight(leaf);
      leaf++;
    }
    weigh(next, sum);
  }
  weigh(m - 2, 0);
  for (let next = <i32>m - 3; next >= 0; next--) weigh(<usize>next, weight(<usize>weight(<usize>next)) + 1);
  let available: i32 = 1;
  let inner: i32 = 0;
  let depth: u32 = 0;
  let r = <i32>m - 2;
  let next = <i32>m - 1;
  while (available > 0) {
    while (r >= 0 && weight(<usize>r) == depth) {
      inner++;
      r--;
    }
    while (available > inner) {
      weigh(<usize>next, depth);
      next--;
      available--;
    }
    available = 2 * inner;
    depth++;
    inner = 0;
  }
}

// @ts-ignore: decorator
@inline
function weight(i: usize): u32 {
  return load<u32>(TREE + (i << 2));
}

// @ts-ignore: decorator
@inline
function weigh(i: usize, value: u32): void {
  store<u32>(TREE + (i << 2), value);
}

/** Tables of RFC 1951 3.2.5 and 3.2.6. */
function init(): void {
  ready = true;
  let base: u32 = 3;
  for (let symbol: u32 = 257; symbol < 285; symbol++) {
    const extra: u32 = symbol < 265 ? 0 : (symbol - 261) >> 2;
    for (let i: u32 = 0; i < <u32>1 << extra; i++) store<u32>(LEN_SYM + (<usize>(base + i) << 2), symbol | (extra << 9) | (base << 16));
    base += 1 << extra;
  }
  store<u32>(LEN_SYM + 4 * 258, 285 | (258 << 16));
  base = 0;
  for (let symbol: u32 = 0; symbol < 30; symbol++) {
    const extra: u32 = symbol < 4 ? 0 : (symbol - 2) >> 1;
    store<u32>(DIST_INFO + (<usize>symbol << 2), extra | (base << 8));
    for (let i: u32 = 0; i < <u32>1 << extra; i++) {
      const distance = base + i;
      if (distance < 256) store<u8>(DIST_SYM + <usize>distance, <u8>symbol);
      else store<u8>(DIST_SYM + 256 + <usize>(distance >> 7), <u8>symbol);
    }
    base += 1 << extra;
  }
  for (let i: u32 = 0; i < 288; i++) {
    const length: u32 = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    const code: u32 = i < 144 ? 0x30 + i : i < 256 ? 0x190 + i - 144 : i < 280 ? i - 256 : 0xc0 + i - 280;
    store<u32>(FIXED + (<usize>i << 2), reversed(code, length) | (length << 24));
  }
  for (let i: u32 = 0; i < 32; i++) store<u32>(DFIXED + (<usize>i << 2), reversed(i, 5) | (5 << 24));
}
