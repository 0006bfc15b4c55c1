import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { readSourcePolicy } from './read-source-policy.ts';
import { applyPolicies, type NamedSource, type SourcePolicy } from './source-policy.ts';

const alpine = 'docker-image://docker.io/library/alpine:3.19';

function policy(...rules: object[]): SourcePolicy {
  return readSourcePolicy(JSON.stringify({ version: 1, rules }));
}

function rule(
  action: string,
  identifier: string,
  more: { matchType?: string; constraints?: object[]; to?: string; attrs?: object } = {},
): object {
  const { to, attrs, ...selector } = more;
  const updates = to === undefined && attrs === undefined ? undefined : { identifier: to, attrs };
  return { action, selector: { identifier, ...selector }, updates };
}

function after(source: string | NamedSource, ...policies: SourcePolicy[]): NamedSource {
  return applyPolicies(policies, typeof source === 'string' ? { identifier: source, attrs: {} } : source);
}

const denied = (error: unknown): boolean => hasCode(error, 'SOURCE_DENIED');

test('the last rule that matches decides, in each policy', () => {
  const open = policy(rule('DENY', 'docker-image://*'), rule('ALLOW', 'docker-image://docker.io/library/*'));
  assert.equal(after(alpine, open).identifier, alpine);
  assert.throws(
    () => after('docker-image://ghcr.io/x:1', open),
    /source "docker-image:\/\/ghcr.io\/x:1" denied by policy/,
  );
  const shut = policy(rule('ALLOW', alpine, { matchType: 'EXACT' }), rule('DENY', alpine, { matchType: 'EXACT' }));
  assert.throws(() => after(alpine, shut), denied);
  assert.throws(() => after(alpine, policy(rule('ALLOW', '*')), shut), denied);
  assert.equal(after('local://context', open).identifier, 'local://context');
});

test('a wildcard matches the whole name, "." and "+" are themselves', () => {
  assert.equal(
    after('docker-image://dockerXio/a', policy(rule('DENY', 'docker-image://docker.io/*'))).attrs['x'],
    undefined,
  );
  assert.throws(() => after('https://a/c++', policy(rule('DENY', 'https://*/c++'))), denied);
  assert.throws(() => after(alpine, policy(rule('DENY', 'docker-image://**'))), /invalid wildcard/);
});

test('convert puts what was matched in the place of $1, ${1} and names', () => {
  const slim = policy(
    rule('CONVERT', 'docker-image://docker.io/library/*:*', { to: 'docker-image://mirror.example/${1}:$2-slim' }),
  );
  const once = policy({
    ...slim.rules[0],
    ...rule('CONVERT', 'docker-image://docker.io/library/*:*', { to: 'docker-image://mirror.example/${1}:$2' }),
  });
  assert.equal(after(alpine, once).identifier, 'docker-image://mirror.example/alpine:3.19');
  const regex = policy(
    rule('CONVERT', '^docker-image://docker\\.io/(?P<name>[a-z/]+):(.*)$', {
      matchType: 'REGEX',
      to: 'docker-image://m/${name}@$2$$',
    }),
  );
  assert.equal(after(alpine, regex).identifier, 'docker-image://m/library/alpine@3.19$');
  const pin = policy(rule('CONVERT', alpine, { matchType: 'EXACT', to: `${alpine}@sha256:${'a'.repeat(64)}` }));
  assert.equal(after(alpine, pin).identifier, `${alpine}@sha256:${'a'.repeat(64)}`);
});

test('convert gives attributes, and leaves what has them already', () => {
  const sums = policy(rule('CONVERT', 'https://a.example/*', { attrs: { 'http.checksum': 'sha256:1' } }));
  const source = { identifier: 'https://a.example/f', attrs: { 'http.perm': '0644' } };
  // The identifier of the rule stands for the new one where it gives none: as a template it is taken as written.
  assert.throws(
    () => after(source, policy({ action: 'CONVERT', selector: { identifier: 'https://a.example/*' } })),
    /missing destination/,
  );
  const exact = policy(rule('CONVERT', source.identifier, { attrs: { 'http.checksum': 'sha256:1' } }));
  assert.deepEqual(after(source, exact).attrs, { 'http.perm': '0644', 'http.checksum': 'sha256:1' });
  assert.equal(after(source, sums).identifier, 'https://a.example/*');
});

test('constraints look at attributes, absent ones are empty', () => {
  const git = { identifier: 'git://x/y', attrs: { 'git.fullurl': 'https://x/y' } };
  const constraint = (condition: string, value: string, key = 'git.fullurl'): SourcePolicy =>
    policy(rule('DENY', 'git://*', { constraints: [{ key, value, condition }] }));
  assert.throws(() => after(git, constraint('EQUAL', 'https://x/y')), denied);
  assert.throws(() => after(git, constraint('EQUAL', '', 'constructor')), denied);
  assert.equal(after(git, constraint('NOTEQUAL', 'https://x/y')), git);
  assert.throws(() => after(git, constraint('MATCHES', '^https?:')), denied);
  assert.equal(after(git, constraint('MATCHES', '^ssh:')), git);
});

test('conversions that never end are given up, as are patterns that take too long', () => {
  const loop = policy(
    rule('CONVERT', 'docker-image://a/x', { to: 'docker-image://b/x' }),
    rule('CONVERT', 'docker-image://b/x', { to: 'docker-image://a/x' }),
  );
  assert.throws(() => after('docker-image://a/x', loop), /too many mutations on a single source/);
  const grow = policy(rule('CONVERT', 'local://*', { to: 'local://$1$1' }));
  assert.throws(() => after(`local://${'x'.repeat(50)}`, grow), /too long|too many/);
  const slow = policy(rule('DENY', '^(a+)+$', { matchType: 'REGEX' }));
  assert.throws(
    () => after(`${'a'.repeat(60)}!`, slow),
    (error: unknown) => hasCode(error, 'SOURCE_POLICY_INVALID'),
  );
});

test('a file that is no policy is refused, by the name of what is wrong', () => {
  const read = (value: unknown) => () => readSourcePolicy(typeof value === 'string' ? value : JSON.stringify(value));
  assert.throws(read('{'), /read source policy: /);
  assert.throws(read({ rulez: [] }), /"rulez" is not known/);
  assert.throws(read({ rules: [{ action: 'DENY' }] }), /rules\[0\]: it has no selector/);
  assert.throws(read({ rules: [{ action: 'FORBID', selector: {} }] }), /"action" is none of ALLOW, DENY, CONVERT/);
  assert.throws(read({ rules: [{ selector: { matchType: 'GLOB' } }] }), /none of WILDCARD, EXACT, REGEX/);
  assert.throws(read({ rules: [{ selector: { constraints: [{ condition: 'X' }] } }] }), /EQUAL, NOTEQUAL, MATCHES/);
  const same = { rules: [{ action: 1, selector: { match_type: 2, identifier: 'x' } }] };
  assert.deepEqual(readSourcePolicy(JSON.stringify(same)).rules[0]?.action, 'deny');
  assert.deepEqual(readSourcePolicy(JSON.stringify(same)).rules[0]?.selector.match, 'regex');
});
