import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Health } from '../../src/wire/gen/grpc/health_pb.ts';
import { openConnection, parseAddress, type ClientTls } from '../../src/wire/grpc/index.ts';
import { strake } from '../lib/strake.ts';
import { Daemon } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
const openssl = (...args: readonly string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
};

/** An authority, and certificates that it signed for 127.0.0.1. */
function authority(name: string, ...signed: readonly string[]): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
  );
  writeFileSync(path('names'), 'subjectAltName=IP:127.0.0.1');
  for (const one of signed) {
    openssl('req', ...key, '-keyout', `${one}.key`, '-out', `${one}.csr`, '-subj', `/CN=${one}`);
    const by = ['-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${one}.csr`, ...by, '-out', `${one}.pem`, '-days', '2');
  }
}

test('over TCP a daemon serves those whose certificate its authority signed, and nobody else', async () => {
  authority('ca', 'server', 'client');
  authority('others', 'stranger');
  const tls = ['--tlscacert', path('ca.pem'), '--tlscert', path('server.pem'), '--tlskey', path('server.key')];
  await using daemon = await Daemon.start(path('daemon'), ['--addr', 'tcp://127.0.0.1:0', ...tls]);
  const found = /running server on (tcp:\/\/127\.0\.0\.1:[1-9]\d*)/.exec(daemon.log)?.[1];
  assert.ok(found, daemon.log);
  const address = parseAddress(found);
  const as = (name?: string): ClientTls => ({
    ca: readFileSync(path('ca.pem')),
    ...(name !== undefined && { cert: readFileSync(path(`${name}.pem`)), key: readFileSync(path(`${name}.key`)) }),
  });

  await using connection = await openConnection(address, { tls: as('client') });
  assert.equal((await connection.client(Health).check({})).status, 1);

  const refused = {
    code: 'GRPC_CONNECT',
    message: /the server ended the connection/,
    remedy: /certificate of clients/,
  };
  await assert.rejects(openConnection(address, { tls: as('stranger') }), refused);
  await assert.rejects(openConnection(address, { tls: as() }), refused);
  await assert.rejects(openConnection(address, { tls: { ...as('client'), ca: readFileSync(path('others.pem')) } }), {
    code: 'GRPC_CONNECT',
  });
  await using plain = await openConnection(address);
  await assert.rejects(plain.client(Health).check({}, { timeoutMs: 10_000 }), /connection broke off/);

  mkdirSync(path('context'));
  writeFileSync(path('context/Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const build = (...flags: readonly string[]) =>
    strake(['build', '--on', `buildkit+${found}`, ...flags, '-o', path('out'), path('context')], { root: path('own') });
  const wanted = ['--tls-ca', path('ca.pem'), '--tls-cert', path('client.pem'), '--tls-key', path('client.key')];
  const built = await build(...wanted);
  assert.equal(built.code, 0, built.stderr);
  assert.equal(readFileSync(path('out/Dockerfile'), 'utf8'), 'FROM scratch\nCOPY Dockerfile /\n');
  const turned = await build('--tls-ca', path('ca.pem'));
  assert.equal(turned.code, 69, turned.stderr);
  assert.match(turned.stderr, /^error: connect to "tcp:.*the server ended the connection/m);
  // Those that were turned away did it no harm.
  assert.equal((await connection.client(Health).check({})).status, 1);
});
