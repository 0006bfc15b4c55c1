import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DescEnum, DescFile, DescMessage, DescService } from '@bufbuild/protobuf';
import { fileDesc as librarys } from '@bufbuild/protobuf/codegenv2';
import * as wellKnown from '@bufbuild/protobuf/wkt';
import { enumDesc, fileDesc, messageDesc, serviceDesc } from './descriptors.ts';
import * as ownWellKnown from './well-known.ts';

const GEN = join(import.meta.dirname, '../gen');

/** The descriptions in generated code by the names of their constants, read by `read`, those that others import first. */
function described<F>(
  read: (text: string, imports: readonly F[]) => F,
  known: Readonly<Record<string, unknown>>,
): Map<string, F> {
  const texts = new Map<string, { readonly text: string; readonly imports: readonly string[] }>();
  for (const path of globSync('**/*_pb.ts', { cwd: GEN })) {
    const source = readFileSync(join(GEN, path), 'utf8');
    const [, name = '', text = '', imports = ''] =
      /const (file_\w+): GenFile[^]*?fileDesc\("([^"]+)"(?:, \[(.*?)\])?\)/.exec(source) ?? [];
    texts.set(name, { text, imports: imports.split(', ').filter((one) => one !== '') });
  }
  const files = new Map<string, F>();
  const fileOf = (name: string): F => {
    const made = (files.get(name) ?? known[name]) as F | undefined;
    if (made) return made;
    const { text, imports } = texts.get(name)!;
    const file = read(text, imports.map(fileOf));
    files.set(name, file);
    return file;
  };
  for (const name of texts.keys()) fileOf(name);
  return files;
}

const ofEnum = ({ typeName, values, value, open }: DescEnum) => ({
  typeName,
  open,
  values: values.map(({ name, jsonName, number }) => [name, jsonName, number]),
  byNumber: Object.values(value).map(({ number, name }) => [number, name]),
});

const ofMessage = (message: DescMessage) => ({
  typeName: message.typeName,
  name: message.name,
  words: String(message),
  members: message.members.map(({ kind, name, localName }) => [kind, name, localName]),
  oneofs: message.oneofs.map(({ name, localName, fields }) => [
    name,
    localName,
    fields.map((field) => field.localName),
  ]),
  byName: Object.keys(message.field),
  fields: message.fields.map((field) => ({
    words: String(field),
    kind: field.kind,
    name: field.name,
    localName: field.localName,
    jsonName: field.jsonName,
    number: field.number,
    fieldKind: field.fieldKind,
    presence: field.presence,
    oneof: field.oneof?.name,
    scalar: field.scalar,
    message: field.message?.typeName,
    enum: field.enum && ofEnum(field.enum),
    listKind: field.fieldKind === 'list' ? field.listKind : undefined,
    packed: field.fieldKind === 'list' ? field.packed : undefined,
    map: field.fieldKind === 'map' ? [field.mapKind, field.mapKey] : undefined,
    long: field.fieldKind === 'scalar' && field.longAsString,
    default: field.fieldKind === 'scalar' || field.fieldKind === 'enum' ? field.getDefaultValue() : undefined,
    utf8: field.utf8Validation,
    delimited: field.fieldKind === 'message' && field.delimitedEncoding,
  })),
});

const ofService = ({ typeName, name, methods, method }: DescService) => ({
  typeName,
  name,
  byName: Object.keys(method),
  methods: methods.map((one) => [
    String(one),
    one.name,
    one.localName,
    one.methodKind,
    one.input.typeName,
    one.output.typeName,
  ]),
});

test('every message, enumeration and service is described as by the library', () => {
  const theirs = described<DescFile>((text, imports) => librarys(text, [...imports]), wellKnown);
  const ours = described(fileDesc, ownWellKnown);
  assert.ok(theirs.size > 30);
  let count = 0;
  for (const [name, file] of theirs) {
    const own = ours.get(name)!;
    const compare = (message: DescMessage, path: readonly number[]): void => {
      count += 1;
      assert.deepEqual(ofMessage(messageDesc<DescMessage>(own, ...path)), ofMessage(message));
      for (const [at, inner] of message.nestedMessages.entries()) compare(inner, [...path, at]);
      for (const [at, inner] of message.nestedEnums.entries())
        assert.deepEqual(ofEnum(enumDesc<DescEnum>(own, ...path, at)), ofEnum(inner));
    };
    for (const [at, message] of file.messages.entries()) compare(message, [at]);
    for (const [at, one] of file.enums.entries()) assert.deepEqual(ofEnum(enumDesc<DescEnum>(own, at)), ofEnum(one));
    for (const [at, one] of file.services.entries())
      assert.deepEqual(ofService(serviceDesc<DescService>(own, at)), ofService(one));
  }
  assert.ok(count > 200, `${count} messages`);
});

test('a message is the same one wherever it is met', () => {
  const file = ownWellKnown.file_google_protobuf_any;
  assert.equal(messageDesc(file, 0), messageDesc(file, 0));
  assert.throws(() => messageDesc<DescMessage>(file, 1).typeName, TypeError);
  assert.throws(() => messageDesc<DescMessage>(fileDesc('CgF4'), 0).typeName, /no proto3/);
});

test('times', () => {
  for (const ms of [0, 1, 1_700_000_000_123, -1, -1500.25]) {
    const own = ownWellKnown.timestampFromMs(ms);
    assert.deepEqual(own, wellKnown.timestampFromMs(ms));
    assert.equal(ownWellKnown.timestampMs(own), wellKnown.timestampMs(own));
    assert.deepEqual(ownWellKnown.timestampDate(own), wellKnown.timestampDate(own));
  }
});
