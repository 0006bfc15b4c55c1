import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode } from '../base/index.ts';
import { exposedPorts, hostPort, parsePublish } from './ports.ts';

test('what -p can say', () => {
  const tcp = { protocol: 'tcp' } as const;
  assert.deepEqual(parsePublish('80'), [{ ...tcp, port: 80 }]);
  assert.deepEqual(parsePublish('8080:80'), [{ ...tcp, port: 80, hostPort: 8080 }]);
  assert.deepEqual(parsePublish('0:80'), [{ ...tcp, port: 80 }]);
  assert.deepEqual(parsePublish('53/udp'), [{ protocol: 'udp', port: 53 }]);
  assert.deepEqual(parsePublish('5353:53/udp'), [{ protocol: 'udp', port: 53, hostPort: 5353 }]);
  assert.deepEqual(parsePublish('127.0.0.1:8080:80'), [{ ...tcp, port: 80, hostPort: 8080, hostAddress: '127.0.0.1' }]);
  assert.deepEqual(parsePublish('127.0.0.1::80'), [{ ...tcp, port: 80, hostAddress: '127.0.0.1' }]);
  assert.deepEqual(parsePublish('[::1]:8080:80/tcp'), [{ ...tcp, port: 80, hostPort: 8080, hostAddress: '::1' }]);
  assert.deepEqual(parsePublish('7000-7001:80-81'), [
    { ...tcp, port: 80, hostPort: 7000 },
    { ...tcp, port: 81, hostPort: 7001 },
  ]);
  assert.deepEqual(parsePublish('80-81'), [
    { ...tcp, port: 80 },
    { ...tcp, port: 81 },
  ]);
});

test('what it cannot say is told with what is wrong in it', () => {
  for (const [text, detail] of [
    ['', /form/],
    ['x', /"x" is no port/],
    ['80:', /form/],
    ['0', /"0" is no port/],
    ['65536', /"65536" is no port/],
    ['8080:80:90:100', /form/],
    ['localhost:8080:80', /"localhost" is no IP address/],
    ['300.1.1.1:1:1', /"300.1.1.1" is no IP address/],
    ['80/sctp', /"sctp" is neither/],
    ['81-80', /ends before it begins/],
    ['7000-7002:80-81', /3 ports of this machine cannot lead to 2/],
    ['1-60000', /more than 1024 ports/],
  ] as const)
    assert.throws(
      () => parsePublish(text),
      (error) => hasCode(error, 'RUN_INVALID') && detail.test((error as Error).message),
      text,
    );
});

test('any text gives ports or a clear error', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9.:[\]/\-a-z]{0,20}$/), (text) => {
      try {
        const ports = parsePublish(text);
        return ports.length > 0 && ports.every(({ port }) => port > 0 && port < 65536);
      } catch (error) {
        return hasCode(error, 'RUN_INVALID');
      }
    }),
  );
});

test('what EXPOSE said', () => {
  const ExposedPorts = { '8080': {}, '53/udp': {}, '70-71/tcp': {}, '0': {}, 'x/tcp': {}, '9-8': {}, '80/sctp': {} };
  assert.deepEqual(exposedPorts({ ExposedPorts }), [
    { protocol: 'tcp', port: 8080 },
    { protocol: 'udp', port: 53 },
    { protocol: 'tcp', port: 70 },
    { protocol: 'tcp', port: 71 },
  ]);
  assert.deepEqual(exposedPorts({}), []);
});

test('where a port is reached', () => {
  assert.equal(hostPort(undefined, 80), '127.0.0.1:80');
  assert.equal(hostPort('0.0.0.0', 80), '127.0.0.1:80');
  assert.equal(hostPort('10.0.0.1', 80), '10.0.0.1:80');
  assert.equal(hostPort('::', 80), '[::1]:80');
  assert.equal(hostPort('fd00::1', 80), '[fd00::1]:80');
});
