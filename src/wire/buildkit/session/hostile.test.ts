import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { collect, systemClock, systemRandom, tempFolder, type CodedError } from '../../../base/index.ts';
import { GrpcConnection, GrpcServer, type RawCall } from '../../grpc/index.ts';
import { KeptFiles } from './kept-files.ts';
import { DATA, ERR, FIN, packetHead, PacketReader, REQ, STAT, statPacket } from './packet.ts';
import { DIFF_COPY, remoteFiles } from './remote-files.ts';
import type { Stat } from './stat.ts';

const FILE: Stat = {
  path: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 3,
  mtime: 1_700_000_000_000_000_000n,
  link: '',
  major: 0,
  minor: 0,
  xattrs: undefined,
};
const file = (path: string, o: Partial<Stat> = {}): Uint8Array => statPacket({ ...FILE, path, ...o });
const folder = (path: string): Uint8Array => file(path, { mode: 0x8000_0000 + 0o755, size: 0 });
const symlink = (path: string, link: string): Uint8Array => file(path, { mode: 0x0800_0000 + 0o777, size: 0, link });
const END = packetHead(STAT);
const data = (id: number, text: string): Uint8Array =>
  Buffer.concat([packetHead(DATA, { id, data: text.length }), Buffer.from(text)]);

/** A server's view of a client that answers as `client` does. */
async function received(
  client: (call: RawCall, asked: () => Promise<PacketReader>) => Promise<void>,
): Promise<{ readonly error?: CodedError; readonly entries: readonly string[]; readonly left: readonly string[] }> {
  using temp = tempFolder(tmpdir(), systemRandom);
  const [here, there] = duplexPair();
  await using server = new GrpcServer({
    routes: () => undefined,
    raw: {
      [DIFF_COPY]: async ({ call }) => {
        const packets: Buffer[] = [];
        let wake: (() => void) | undefined;
        call.receive((message) => {
          packets.push(Buffer.from(message));
          wake?.();
        });
        await client(call, async () => {
          while (packets.length === 0)
            await new Promise<void>((resolve) => {
              wake = resolve;
              void call.ended.then(() => {
                packets.push(Buffer.from(packetHead(ERR)));
                resolve();
              });
            });
          const packet = new PacketReader();
          packet.read(packets.shift()!);
          return packet;
        });
      },
    },
  });
  server.accept(there);
  await using connection = new GrpcConnection(here);
  const kept = new KeptFiles(join(temp.path, 'store/kept'), { clock: systemClock, random: systemRandom });
  using stay = kept.openStay();
  const source = remoteFiles('context', { connection, kept, stay: () => stay, sharedKey: 'k', clock: systemClock });
  try {
    const tree = await source.tree({});
    const entries = await tree.entries();
    await collect(tree.read(entries.filter(({ type }) => type === 'file')));
    return { entries: entries.map(({ path, type, size }) => `${type} ${path} ${size}`), left: [] };
  } catch (error) {
    assert.deepEqual(readdirSync(temp.path), ['store']);
    const packs = readdirSync(join(temp.path, 'store/kept/live'));
    return {
      error: error as CodedError,
      entries: [],
      left: packs.flatMap((name) => readdirSync(join(temp.path, 'store/kept/live', name))),
    };
  }
}

const says =
  (...packets: readonly Uint8Array[]) =>
  async (call: RawCall): Promise<void> => {
    for (const packet of packets) call.send(packet);
    await call.ended;
  };

/** A client of these stats that answers when it is asked for a content: with these pieces, by id. */
const sends =
  (stats: readonly Uint8Array[], contents: Readonly<Record<number, readonly string[]>>) =>
  async (call: RawCall, asked: () => Promise<PacketReader>): Promise<void> => {
    for (const packet of [...stats, END]) call.send(packet);
    for (;;) {
      const packet = await asked();
      if (packet.type === ERR) return;
      if (packet.type === REQ) for (const piece of contents[packet.id] ?? []) call.send(data(packet.id, piece));
      if (packet.type === FIN) break;
    }
    call.send(packetHead(FIN));
  };

test('an honest client', async () => {
  const { error, entries } = await received(sends([folder('d'), file('d/f')], { 1: ['a', 'bc', ''] }));
  assert.equal(error, undefined);
  assert.deepEqual(entries, ['directory d 0', 'file d/f 3']);
});

const REFUSED: Readonly<
  Record<string, readonly [(call: RawCall, asked: () => Promise<PacketReader>) => Promise<void>, string, RegExp]>
> = {
  'leads out': [says(file('../x'), END), 'SESSION_PROTOCOL', /"\.\.\/x": its path is not clean/],
  'leads out below': [says(folder('a'), file('a/../../x'), END), 'SESSION_PROTOCOL', /not clean/],
  'is the folder above': [says(folder('..'), END), 'SESSION_PROTOCOL', /not clean/],
  'is absolute': [says(file('/etc/passwd'), END), 'SESSION_PROTOCOL', /absolute/],
  'has a zero byte': [says(file('a\0b'), END), 'SESSION_PROTOCOL', /zero byte/],
  'has no name': [says(file('', { uid: 1 }), END), 'SESSION_PROTOCOL', /no name/],
  'comes out of order': [says(file('b'), file('a'), END), 'SESSION_PROTOCOL', /"a": it came after "b"/],
  'comes twice': [says(file('a'), file('a'), END), 'SESSION_PROTOCOL', /came twice/],
  'lies in no folder': [says(file('a/b'), END), 'SESSION_PROTOCOL', /no folder that it lies in/],
  'lies in a file': [says(file('a'), file('a/b'), END), 'SESSION_PROTOCOL', /no folder/],
  'lies in a link': [says(symlink('a', '/etc'), file('a/passwd'), END), 'SESSION_PROTOCOL', /no folder/],
  'is another name of nothing': [
    says(file('b', { link: 'a' }), END),
    'SESSION_PROTOCOL',
    /another name of "a", which has not come/,
  ],
  'is another name of a link': [
    says(symlink('a', '/etc/passwd'), file('b', { link: 'a' }), END),
    'SESSION_PROTOCOL',
    /has not come/,
  ],
  'was not asked for': [says(file('a'), data(7, 'abc'), END), 'SESSION_PROTOCOL', /not asked for \(7\)/],
  'is the content of a folder': [says(folder('a'), data(0, 'abc'), END), 'SESSION_PROTOCOL', /not asked for/],
  'comes after its end': [
    sends([file('a')], { 0: ['abc', '', 'd'] }),
    'SESSION_PROTOCOL',
    /not asked for|after the end/,
  ],
  'comes after the list': [says(END, file('a')), 'SESSION_PROTOCOL', /after the last one/],
  'ends too early': [says(file('a'), END, packetHead(FIN)), 'SESSION_PROTOCOL', /ended before all was sent/],
  'is no packet': [says(Buffer.from([0xff, 0xff, 0xff])), 'SESSION_PROTOCOL', /malformed/],
  'is a packet of no kind': [says(packetHead(9)), 'SESSION_PROTOCOL', /a kind/],
  'ends without a word': [async () => undefined, 'SESSION_PROTOCOL', /ended before all/],
  'sends nothing of a file': [
    sends([file('secret')], { 0: [''] }),
    'SESSION_FILE_UNREADABLE',
    /"secret".*nothing of its 3 bytes/,
  ],
  'says what is wrong': [
    says(Buffer.concat([packetHead(ERR, { data: 4 }), Buffer.from('oops')])),
    'SESSION_FILES',
    /receive files "context": oops/,
  ],
  'has a size of petabytes': [says(file('a', { size: 2 ** 52 }), END), 'SESSION_PROTOCOL', /no file is so large/],
};

for (const [what, [client, code, message]] of Object.entries(REFUSED))
  test(`what ${what} is refused, and leaves nothing`, async () => {
    const { error, left } = await received(client);
    assert.match(error?.message ?? 'nothing was refused', message);
    assert.equal(error?.code, code);
    assert.deepEqual(left, []);
    assert.ok(!existsSync('/passwd'));
  });

test('a file that never ends is refused, and the client is told', async () => {
  let told = '';
  const { error } = await received(async (call, asked) => {
    call.send(file('log', { size: 1 }));
    call.send(END);
    await asked();
    const piece = Buffer.alloc(1 << 20, 'x');
    const over = new AbortController();
    void asked().then((packet) => {
      told = packet.data.toString();
      over.abort();
    });
    for (let i = 0; i < 1000 && !over.signal.aborted; i++)
      if (!call.send(packetHead(DATA, { id: 0, data: piece.length }), piece)) await call.writable();
  });
  assert.equal(error?.code, 'SESSION_LIMIT');
  assert.match(told, /"log": it grows/);
});

test('files that became shorter or longer are what was sent', async () => {
  const { error, entries } = await received(
    sends([file('a'), file('b', { size: 0 }), file('c', { size: 200_000 })], {
      0: ['ab', ''],
      1: ['more', ''],
      2: ['x'.repeat(150_000), 'y'.repeat(150_000), ''],
    }),
  );
  assert.equal(error, undefined);
  assert.deepEqual(entries, ['file a 2', 'file b 4', 'file c 300000']);
});
