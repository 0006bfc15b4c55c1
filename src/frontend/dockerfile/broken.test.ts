import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodedError } from '../../base/index.ts';
import { amd64, FakeHost, imageConfig } from './fake-host.suite.ts';
import { dockerfileFrontend } from './plan.ts';

const folder = new URL('testdata/broken/', import.meta.url);
const golden = new URL('testdata/broken.json', import.meta.url);
const update = process.env['STRAKE_UPDATE_GOLDEN'] === '1';
const files = readdirSync(folder).filter((name) => name.endsWith('.dockerfile'));

const hostOf = (name: string): FakeHost =>
  new FakeHost({
    images: { 'docker.io/library/debian:latest': imageConfig() },
    files: { dockerfile: { Dockerfile: readFileSync(new URL(name, folder)) }, context: {} },
  });
const plan = (name: string, options: Readonly<Record<string, string>>): ReturnType<typeof dockerfileFrontend> =>
  dockerfileFrontend({ options, platforms: [amd64], buildPlatform: amd64 }, hostOf(name));

/** Of a fault: what a person is told. */
async function refusal(name: string): Promise<object | string> {
  try {
    await plan(name, {});
    return 'builds';
  } catch (error) {
    assert.ok(error instanceof CodedError, `${name}: ${String(error)}`);
    const { code, message, place, remedy } = error;
    assert.ok(remedy !== undefined && remedy.endsWith('.') && !message.endsWith('.'), `${name}: ${message}`);
    return { code, at: place === undefined ? undefined : `${place.line}:${place.column ?? 0}`, message };
  }
}

test('every broken file is refused, with the same words as ever', async () => {
  const found: Record<string, object | string> = {};
  for (const file of files) found[file.slice(0, -'.dockerfile'.length)] = await refusal(file);
  const text = `${JSON.stringify(found, undefined, 2)}\n`;
  if (update) writeFileSync(golden, text);
  assert.ok(files.length >= 75);
  assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(golden, 'utf8')));
});

test('a check of a broken file finds the fault and does not fail itself', async () => {
  for (const file of files) {
    const known = await refusal(file);
    // Read before anybody looks at what is in it.
    if (file === 'syntax-other.dockerfile') continue;
    const { metadata } = await plan(file, { requestid: 'frontend.lint' });
    const report = JSON.parse(Buffer.from(metadata.get('result.json') ?? '').toString()) as {
      buildError?: { message: string };
    };
    assert.deepEqual(
      report.buildError?.message,
      typeof known === 'string' ? undefined : (known as { message: string }).message,
      file,
    );
  }
});
