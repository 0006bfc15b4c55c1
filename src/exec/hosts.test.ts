import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostsFile } from './hosts.ts';

test('the sandbox is named, extra hosts follow in order', () => {
  const extraHosts = [
    { host: 'db', ip: '10.0.0.7' },
    { host: 'six', ip: 'fd00::7' },
  ];
  assert.equal(
    hostsFile({ hostname: 'box', extraHosts }),
    '127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.7\tdb\nfd00::7\tsix\n',
  );
  assert.match(hostsFile({ hostname: '', extraHosts: [] }), /^127\.0\.0\.1\tlocalhost buildkitsandbox\n/);
});
