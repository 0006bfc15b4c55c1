import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf } from './call.ts';
import { headline, type LintReport } from './lint-report.ts';
import { sarifOf } from './sarif.ts';

test('--call names a method, a format and whether its status counts', () => {
  const lint = { request: 'frontend.lint', format: 'text', ignoreStatus: false };
  assert.equal(callOf({}), undefined);
  assert.equal(callOf({ call: 'build' }), undefined);
  assert.deepEqual(callOf({ check: true }), lint);
  assert.deepEqual(callOf({ call: 'build', check: true }), lint);
  assert.deepEqual(callOf({ call: 'check' }), lint);
  assert.deepEqual(callOf({ call: 'lint', check: true }), lint);
  assert.deepEqual(callOf({ call: 'outline,format=json' }), {
    request: 'frontend.outline',
    format: 'json',
    ignoreStatus: false,
  });
  assert.deepEqual(callOf({ call: 'check,ignorestatus=true' }), { ...lint, ignoreStatus: true });
  assert.deepEqual(callOf({ call: 'check,ignorestatus' }), { ...lint, ignoreStatus: true });
  assert.equal(callOf({ call: 'subrequests.describe' })?.request, 'frontend.subrequests.describe');
});

test('what --call does not know is refused with a near name', () => {
  for (const [call, words, remedy] of [
    ['target', /there is no such method/, /Did you mean "targets"\?/],
    ['toString', /there is no such method/, /Use one of: build, check/],
    ['check,format=xml', /there is no "format=xml"/, /format=json/],
    ['check,ignorestatus=perhaps', /neither true nor false/, undefined],
  ] as const)
    assert.throws(
      () => callOf({ call }),
      (error: Error & { code?: string; remedy?: string }) =>
        error.code === 'USAGE' &&
        words.test(error.message) &&
        (remedy === undefined || remedy.test(error.remedy ?? '')),
      call,
    );
  assert.throws(() => callOf({ call: 'outline', check: true }), { code: 'USAGE' });
});

const at = (line: number): object => ({ ranges: [{ start: { line }, end: { line: line + 1 } }] });
const warning = { ruleName: 'B', description: 'About B', url: 'https://rule/b', detail: 'said', location: at(2) };
const report: LintReport = {
  warnings: [warning, { ruleName: 'A', detail: 'other', location: {} }, warning],
  sources: [],
  buildError: { message: 'broken', location: at(4), remedy: 'Mend it.' },
};

test('the headline counts', () => {
  const clean = { warnings: [], sources: [] };
  assert.equal(headline(clean), 'Check complete, no warnings found.\n');
  assert.equal(headline({ ...clean, warnings: [warning] }), 'Check complete, 1 warning has been found!\n');
  assert.equal(headline(report), 'Check complete, 3 warnings have been found!\n');
  assert.equal(headline({ ...clean, buildError: report.buildError }), '');
});

test('SARIF: a rule once, its findings by index, lines, and the fault as an error', () => {
  const found = JSON.parse(JSON.stringify(sarifOf(report, { uri: 'a b/Dockerfile', version: '1.2.3' }))) as {
    version: string;
    runs: { tool: { driver: { version: string; rules: object[] } }; results: object[] }[];
  };
  assert.equal(found.version, '2.1.0');
  const [run] = found.runs;
  assert.equal(run?.tool.driver.version, '1.2.3');
  assert.deepEqual(run.tool.driver.rules, [
    { id: 'A', name: 'A', shortDescription: { text: 'A' }, defaultConfiguration: { level: 'warning' } },
    {
      id: 'B',
      name: 'B',
      shortDescription: { text: 'About B' },
      helpUri: 'https://rule/b',
      defaultConfiguration: { level: 'warning' },
    },
    {
      id: 'BuildError',
      name: 'BuildError',
      shortDescription: { text: 'The Dockerfile cannot be built' },
      defaultConfiguration: { level: 'error' },
    },
  ]);
  const artifactLocation = { uri: 'a%20b/Dockerfile' };
  const b = {
    ruleId: 'B',
    ruleIndex: 1,
    level: 'warning',
    message: { text: 'said' },
    locations: [{ physicalLocation: { artifactLocation, region: { startLine: 2, endLine: 3 } } }],
  };
  assert.deepEqual(run.results, [
    b,
    {
      ruleId: 'A',
      ruleIndex: 0,
      level: 'warning',
      message: { text: 'other' },
      locations: [{ physicalLocation: { artifactLocation } }],
    },
    b,
    {
      ruleId: 'BuildError',
      ruleIndex: 2,
      level: 'error',
      message: { text: 'broken. Mend it.' },
      locations: [{ physicalLocation: { artifactLocation, region: { startLine: 4, endLine: 5 } } }],
    },
  ]);
});
