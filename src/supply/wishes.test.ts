import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attestationWishes } from './wishes.ts';

test('provenance is asked for by option or build argument, its attributes as BuildKit reads them', () => {
  assert.deepEqual(attestationWishes({ target: 'x' }), {});
  const usual = {
    mode: 'max',
    version: 'v1',
    filename: 'provenance.json',
    builderId: '',
    reproducible: false,
    inlineOnly: false,
  };
  assert.deepEqual(attestationWishes({ 'attest:provenance': '' }).provenance, usual);
  assert.deepEqual(attestationWishes({ 'build-arg:BUILDKIT_ATTEST_PROVENANCE': 'mode=full' }).provenance, usual);
  assert.deepEqual(
    attestationWishes({
      'attest:provenance': 'mode=min,version=v0.2,"builder-id=https://ci/?a=1,2",reproducible=1,inline-only=true',
    }).provenance,
    { ...usual, mode: 'min', version: 'v0.2', builderId: 'https://ci/?a=1,2', reproducible: true, inlineOnly: true },
  );
  assert.deepEqual(attestationWishes({ 'attest:provenance': 'disabled=true', 'attest:sbom': '' }), { sbom: {} });
});

test('what is not understood is refused', () => {
  const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ 'attest:provenance': 'mode=most' }, /there is no mode "most"/],
    [{ 'attest:provenance': 'version=2' }, /there is no version "2"/],
    [{ 'attest:provenance': 'reproducible=perhaps' }, /reproducible="perhaps" is neither true nor false/],
    [{ 'attest:provenance': 'filename=../x' }, /no name of a file/],
    [{ 'attest:provenance': '"mode=min' }, /no list of name=value/],
    [{ 'attest:sbom': 'generator=docker/scanner' }, /a generator image \("docker\/scanner"\) is not run/],
    [{ 'attest:vex': '' }, /"vex": there is no such type/],
  ];
  for (const [options, message] of refused) assert.throws(() => attestationWishes(options), message);
});
