import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolvConf } from './resolv.ts';

const machine =
  (files: Record<string, string>) =>
  (path: string): string | undefined =>
    files[path];
const ETC = '/etc/resolv.conf';
const RESOLVED = '/run/systemd/resolve/resolv.conf';

test('comments go, nameservers on loopback go, the last search line counts, options add up', () => {
  const text =
    '# made by hand\nnameserver 127.0.0.1\nnameserver 192.0.2.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver nonsense\ndomain a.test\nsearch b.test c.test\noptions ndots:2\noptions timeout:1\nsortlist 10.0.0.0\n';
  assert.equal(
    resolvConf({ hostNetwork: false, read: machine({ [ETC]: text }) }),
    'nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch b.test c.test\noptions ndots:2 timeout:1\nsortlist 10.0.0.0\n',
  );
});

test("on the machine's network a resolver on loopback stays", () => {
  const read = machine({ [ETC]: 'nameserver 127.0.0.53\noptions edns0\n', [RESOLVED]: 'nameserver 192.0.2.1\n' });
  assert.equal(resolvConf({ hostNetwork: true, read }), 'nameserver 127.0.0.53\noptions edns0\n');
});

test("behind systemd-resolved's stub, its own list is taken", () => {
  const read = machine({ [ETC]: 'nameserver 127.0.0.53\n', [RESOLVED]: 'nameserver 192.0.2.1\nsearch x.test\n' });
  assert.equal(resolvConf({ hostNetwork: false, read }), 'nameserver 192.0.2.1\nsearch x.test\n');
});

test('where none is left, the network’s own resolver or public ones answer', () => {
  const read = machine({ [ETC]: 'nameserver 127.0.0.1\n' });
  assert.equal(resolvConf({ hostNetwork: false, read, fallback: ['10.0.2.3'] }), 'nameserver 10.0.2.3\n');
  assert.match(resolvConf({ hostNetwork: false, read }), /^nameserver 8\.8\.8\.8\n/);
  assert.match(resolvConf({ hostNetwork: true, read: () => undefined }), /^nameserver 8\.8\.8\.8\n/);
});
