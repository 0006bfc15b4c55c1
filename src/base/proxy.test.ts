import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, proxyFor } from './proxy.ts';

const through = (url: string, env: Record<string, string>): string | undefined => proxyFor(new URL(url), env)?.href;

test('the proxy is the one of the scheme, lower case first', () => {
  const env = { HTTP_PROXY: 'http://a:1', https_proxy: 'http://b:2', HTTPS_PROXY: 'http://c:3' };
  assert.equal(through('http://example.test/', env), 'http://a:1/');
  assert.equal(through('https://example.test/', env), 'http://b:2/');
  assert.equal(through('https://example.test/', { HTTPS_PROXY: 'proxy:3128' }), 'http://proxy:3128/');
  assert.equal(through('https://example.test/', { HTTPS_PROXY: '' }), undefined);
});

test('loopback is never proxied', () => {
  const env = { HTTP_PROXY: 'http://a:1' };
  for (const host of ['localhost', '127.0.0.1', '127.9.8.7', '[::1]', 'x.localhost'])
    assert.equal(through(`http://${host}:5000/`, env), undefined, host);
  assert.equal(isLoopback('127.example.test'), false);
  assert.equal(isLoopback('10.0.0.1'), false);
});

test('NO_PROXY: names, suffixes, ports, addresses, blocks, star', () => {
  const direct = (url: string, rules: string): boolean =>
    through(url, { HTTP_PROXY: 'http://a:1', NO_PROXY: rules }) === undefined;
  assert.equal(direct('http://example.test/', 'other.test, example.test'), true);
  assert.equal(direct('http://EXAMPLE.test/', 'Example.TEST'), true);
  assert.equal(direct('http://sub.example.test/', 'example.test'), true);
  assert.equal(direct('http://badexample.test/', 'example.test'), false);
  assert.equal(direct('http://example.test/', '.example.test'), false);
  assert.equal(direct('http://a.example.test/', '*.example.test'), true);
  assert.equal(direct('http://example.test:81/', 'example.test:80'), false);
  assert.equal(direct('http://example.test/', 'example.test:80'), true);
  assert.equal(direct('http://10.1.2.3/', '10.0.0.0/8'), true);
  assert.equal(direct('http://11.1.2.3/', '10.0.0.0/8'), false);
  assert.equal(direct('http://10.1.2.3/', '10.0.0.0/99'), false);
  assert.equal(direct('http://[fd00::1]/', 'fd00::/8'), true);
  assert.equal(direct('http://[fd00::1]/', 'fd00::1'), true);
  assert.equal(direct('http://example.test/', '*'), true);
});
