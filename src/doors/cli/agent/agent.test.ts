import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemRandom, tempFolder } from '../../../base/index.ts';
import type { ByteChannel } from '../../../worker/index.ts';
import { agentChannel } from './agent-channel.ts';
import { keyAgent } from './key-agent.ts';
import { readPrivateKey } from './private-key.ts';
import { socketAgent } from './socket-agent.ts';
import { sshInteger, sshNumber, SshReader, sshString } from './ssh-wire.ts';

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' });
const KEYS = {
  ed25519: generateKeyPairSync('ed25519').privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
};

/** Sends a message in pieces and gives the answer. */
async function ask(channel: ByteChannel, message: Buffer): Promise<Buffer> {
  const framed = sshString(message);
  for (const piece of [framed.subarray(0, 3), framed.subarray(3)]) await channel.write(piece);
  let said = Buffer.alloc(0);
  for await (const chunk of channel.readable) {
    said = Buffer.concat([said, chunk]);
    if (said.length >= 4 && said.length === said.readUInt32BE(0) + 4) break;
  }
  return said.subarray(4);
}

function signRequest(blob: Buffer, data: string, flags: number): Buffer {
  return Buffer.concat([Buffer.of(13), sshString(blob), sshString(data), sshNumber(flags)]);
}

test('an agent of keys lists them and signs with each; signatures verify', async () => {
  const keys = Object.values(KEYS).map((key) => readPrivateKey(pem(key)));
  const answer = keyAgent(keys);
  const listed = new SshReader((await answer(Buffer.of(11))).subarray(1));
  assert.equal(listed.number(), 4);
  const names: string[] = [];
  const blobs: Buffer[] = [];
  for (let i = 0; i < 4; i++) {
    const blob = listed.string();
    listed.string();
    blobs.push(blob);
    names.push(new SshReader(blob).text());
  }
  assert.deepEqual(names, ['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp521']);
  const cases = [
    [0, 0, 'ssh-ed25519', null],
    [1, 0, 'ssh-rsa', 'sha1'],
    [1, 2, 'rsa-sha2-256', 'sha256'],
    [1, 4, 'rsa-sha2-512', 'sha512'],
    [2, 0, 'ecdsa-sha2-nistp256', 'sha256'],
    [3, 0, 'ecdsa-sha2-nistp521', 'sha512'],
  ] as const;
  for (const [index, flags, name, hash] of cases) {
    const said = await answer(signRequest(blobs[index] ?? assert.fail(), 'data', flags));
    assert.equal(said[0], 14);
    const signature = new SshReader(new SshReader(said.subarray(1)).string());
    assert.equal(signature.text(), name);
    const bytes = signature.string();
    const key = createPublicKey(Object.values(KEYS)[index] ?? assert.fail());
    const size = { 2: 32, 3: 66 }[index as number];
    if (size === undefined) assert.ok(verify(hash, Buffer.from('data'), key, bytes), name);
    else {
      const reader = new SshReader(bytes);
      const padded = [reader.string(), reader.string()].map((n) =>
        Buffer.concat([Buffer.alloc(size), n]).subarray(-size),
      );
      assert.ok(verify(hash, Buffer.from('data'), { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(padded)), name);
    }
  }
});

test('what a step may not ask of an agent is refused, what is no message ends the connection', async () => {
  await using channel = agentChannel(keyAgent([readPrivateKey(pem(KEYS.ed25519))]));
  // Add a key, remove all, lock; a key that is not there.
  for (const message of [Buffer.of(17, 1, 2), Buffer.of(19), Buffer.of(22), signRequest(Buffer.from('x'), 'd', 0)])
    assert.deepEqual([...(await ask(channel, message))], [5]);
  await using broken = agentChannel(keyAgent([]));
  await broken.write(Buffer.from('GET / HTTP/1.0\r\n'));
  assert.deepEqual(await Array.fromAsync(broken.readable), []);
  await using cut = agentChannel(keyAgent([]));
  await cut.write(sshString(Buffer.of(13, 0, 0, 9)));
  assert.deepEqual(await Array.fromAsync(cut.readable), []);
});

test("somebody's agent is asked for lists and signatures only", async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'agent');
  const asked: number[] = [];
  const server = createServer((socket) => {
    const answer = keyAgent([readPrivateKey(pem(KEYS.rsa))]);
    const channel = agentChannel(async (message) => {
      asked.push(message[0] ?? -1);
      return answer(message);
    });
    socket.on('data', (chunk: Buffer) => void channel.write(chunk));
    void (async () => {
      for await (const chunk of channel.readable) socket.write(chunk);
    })();
  }).listen(path);
  await once(server, 'listening');
  try {
    await using channel = await socketAgent(path);
    const messages = [Buffer.of(11), Buffer.of(19), Buffer.of(17, 0), Buffer.of(27, 0)];
    const answers: (number | undefined)[] = [];
    for (const message of messages) answers.push((await ask(channel, message))[0]);
    assert.deepEqual(answers, [12, 5, 5, 5]);
    assert.deepEqual(asked, [11, 27]);
  } finally {
    server.close();
  }
});

test('numbers as ssh writes them', () => {
  assert.deepEqual([...sshInteger(Buffer.of(0, 0, 0x80))], [0, 0, 0, 2, 0, 0x80]);
  assert.deepEqual([...sshInteger(Buffer.of(0))], [0, 0, 0, 0]);
  assert.throws(() => new SshReader(Buffer.of(0, 0, 0, 9, 1)).string(), RangeError);
});
