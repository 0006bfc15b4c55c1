import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeId, execEnvProblem, foreignVersionProblem, forExecEnv, idProblem, versionProblem } from './ids.ts';

test('ids are plain names with slashes, and no reserved ones', () => {
  for (const id of ['io.buildpacks.ruby', 'samples/java-maven', 'a_b', 'sbom/x'])
    assert.equal(idProblem(id), undefined, id);
  for (const id of ['', 'app', 'config', 'generated', 'sbom', 'a b', '../x', 'a//b', '/a', 'a/', 'a/../b', 'ä'])
    assert.notEqual(idProblem(id), undefined, id);
  assert.equal(escapeId('a/b/c'), 'a_b_c');
});

test('versions that strake makes are three numbers; those of others must be fit for a folder name', () => {
  for (const version of ['0.0.0', '1.20.3']) assert.equal(versionProblem(version), undefined, version);
  for (const version of ['1', '1.2', '01.2.3', '1.2.3-rc1', 'v1.2.3', ''])
    assert.notEqual(versionProblem(version), undefined, version);
  for (const version of ['1', '1.2.3-rc1', '1.0.0+x', '2_1'])
    assert.equal(foreignVersionProblem(version), undefined, version);
  for (const version of ['', '..', '1/2', '../1', '1 2'])
    assert.notEqual(foreignVersionProblem(version), undefined, version);
});

test('what names no execution environment is for all of them', () => {
  assert.equal(forExecEnv([], 'test'), true);
  assert.equal(forExecEnv(['*'], 'test'), true);
  assert.equal(forExecEnv(['production', 'test'], 'test'), true);
  assert.equal(forExecEnv(['production'], 'test'), false);
  assert.equal(execEnvProblem('my-env.2'), undefined);
  assert.notEqual(execEnvProblem('a/b'), undefined);
});
