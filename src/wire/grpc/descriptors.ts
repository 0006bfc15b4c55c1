/**
 * What generated code describes its messages by, in place of the library's own (`@bufbuild/protobuf/codegenv2`): that one reads every description as the program starts, by a description of descriptions, which took a quarter of a client's
 * start. Here a file is read when a message or a service of it is first used, and a message's fields when it is first made, read or written. The library's encoder works by what this gives; only proto3 is known.
 */
import type { DescEnum, DescField, DescMessage, DescMethod, DescOneof, DescService } from '@bufbuild/protobuf';
import type { GenFile } from '@bufbuild/protobuf/codegenv2';
import { base64Bytes, ProtoFields } from './proto-fields.ts';

/** `google.protobuf.Edition` */
const PROTO3 = 999;
/** `FieldDescriptorProto.Type` */
const [STRING, GROUP, MESSAGE, BYTES, ENUM] = [9, 10, 11, 12, 14];
/** `FieldDescriptorProto.Label` */
const REPEATED = 3;
/** `FeatureSet.FieldPresence` */
const [EXPLICIT, IMPLICIT] = [1, 2] as const;

/** As generated code calls it: a FileDescriptorProto in base64, and the files that it imports. */
export function fileDesc(text: string, imports: readonly GenFile[] = []): GenFile {
  return new LazyFile(text, imports as readonly unknown[] as readonly LazyFile[]) as unknown as GenFile;
}

/** The message at a path of places: among the file's, then among those inside. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- generated code says what it is
export function messageDesc<T>(file: GenFile, ...path: readonly number[]): T {
  return lazy(file).message(path) as unknown as T;
}

/** The enumeration at a path: the last place is among enumerations. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- generated code says what it is
export function enumDesc<T>(file: GenFile, ...path: readonly number[]): T {
  return lazy(file).enumeration(path) as unknown as T;
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- generated code says what it is
export function serviceDesc<T>(file: GenFile, at: number): T {
  return new LazyService(lazy(file), at) as unknown as T;
}

function lazy(file: GenFile): LazyFile {
  return file as unknown as LazyFile;
}

/** A message or an enumeration of a file as its description has it. */
interface Declared {
  readonly typeName: string;
  readonly path: readonly number[];
  readonly proto: ProtoFields;
  readonly messages: readonly Declared[];
  readonly enums: readonly Declared[];
  readonly isMapEntry: boolean;
}

class LazyFile {
  readonly kind = 'file';
  readonly edition = PROTO3;
  readonly #text: string;
  readonly #imports: readonly LazyFile[];
  readonly #messages = new Map<string, LazyMessage>();
  readonly #enums = new Map<string, LazyEnum>();
  #content: FileContent | undefined;

  constructor(text: string, imports: readonly LazyFile[]) {
    this.#text = text;
    this.#imports = imports;
  }

  get content(): FileContent {
    return (this.#content ??= new FileContent(this.#text));
  }

  message(path: readonly number[]): LazyMessage {
    const key = path.join();
    let found = this.#messages.get(key);
    if (!found) this.#messages.set(key, (found = new LazyMessage(this, path)));
    return found;
  }

  enumeration(path: readonly number[]): LazyEnum {
    const key = path.join();
    let found = this.#enums.get(key);
    if (!found) this.#enums.set(key, (found = new LazyEnum(this, path)));
    return found;
  }

  /** By its full name, of this file or of one that it imports. */
  messageNamed(name: string): LazyMessage {
    const own = this.content.messages.get(name);
    if (own) return this.message(own.path);
    const file = this.#imports.find((one) => one.content.messages.has(name));
    if (!file) throw new TypeError(`message ${name} is not described`);
    return file.messageNamed(name);
  }

  enumNamed(name: string): LazyEnum {
    const own = this.content.enums.get(name);
    if (own) return this.enumeration(own.path);
    const file = this.#imports.find((one) => one.content.enums.has(name));
    if (!file) throw new TypeError(`enumeration ${name} is not described`);
    return file.enumNamed(name);
  }

  mapEntryNamed(name: string): Declared | undefined {
    return this.content.mapEntries.get(name);
  }
}

/** A FileDescriptorProto, read as far as names and places. */
class FileContent {
  readonly package: string;
  readonly services: readonly ProtoFields[];
  readonly messages = new Map<string, Declared>();
  readonly enums = new Map<string, Declared>();
  readonly mapEntries = new Map<string, Declared>();
  readonly #tops: readonly Declared[];
  readonly #topEnums: readonly Declared[];

  constructor(text: string) {
    const proto = new ProtoFields(base64Bytes(text));
    if (proto.text(12) !== 'proto3') throw new TypeError(`read ${proto.text(1)}: it is no proto3`);
    this.package = proto.text(2);
    this.services = proto.all(6);
    this.#tops = this.#declared(proto.all(4), this.package, []);
    this.#topEnums = this.#declaredEnums(proto.all(5), this.package, []);
  }

  messageAt(path: readonly number[]): Declared {
    let found = this.#tops[path[0] ?? 0];
    for (const place of path.slice(1)) found = found?.messages[place];
    if (!found) throw new TypeError(`message ${path.join('.')} is not described`);
    return found;
  }

  enumAt(path: readonly number[]): Declared {
    const [last = 0, within] = [path.at(-1), path.slice(0, -1)];
    const found = (within.length === 0 ? this.#topEnums : this.messageAt(within).enums)[last];
    if (!found) throw new TypeError(`enumeration ${path.join('.')} is not described`);
    return found;
  }

  #declared(protos: readonly ProtoFields[], within: string, above: readonly number[]): readonly Declared[] {
    const found: Declared[] = [];
    for (const proto of protos) {
      const typeName = nameIn(within, proto.text(1));
      const isMapEntry = proto.all(7)[0]?.number(7) === 1;
      // Entries of maps have no place.
      const path = [...above, found.length];
      const declared: Declared = {
        typeName,
        path,
        proto,
        isMapEntry,
        messages: this.#declared(proto.all(3), typeName, path),
        enums: this.#declaredEnums(proto.all(4), typeName, path),
      };
      if (isMapEntry) this.mapEntries.set(typeName, declared);
      else {
        found.push(declared);
        this.messages.set(typeName, declared);
      }
    }
    return found;
  }

  #declaredEnums(protos: readonly ProtoFields[], within: string, above: readonly number[]): readonly Declared[] {
    return protos.map((proto, at) => {
      const typeName = nameIn(within, proto.text(1));
      const declared = { typeName, path: [...above, at], proto, messages: [], enums: [], isMapEntry: false };
      this.enums.set(typeName, declared);
      return declared;
    });
  }
}

function nameIn(within: string, name: string): string {
  return within === '' ? name : `${within}.${name}`;
}

type Members = Pick<DescMessage, 'fields' | 'field' | 'oneofs' | 'members'>;

class LazyMessage {
  readonly kind = 'message';
  readonly file: LazyFile;
  readonly deprecated = false;
  readonly #path: readonly number[];
  #typeName: string | undefined;
  #members: Members | undefined;

  constructor(file: LazyFile, path: readonly number[]) {
    this.file = file;
    this.#path = path;
  }

  get typeName(): string {
    return (this.#typeName ??= this.file.content.messageAt(this.#path).typeName);
  }

  get name(): string {
    return this.typeName.slice(this.typeName.lastIndexOf('.') + 1);
  }

  get fields(): DescMessage['fields'] {
    return (this.#members ??= this.#read()).fields;
  }

  get field(): DescMessage['field'] {
    return (this.#members ??= this.#read()).field;
  }

  get oneofs(): DescMessage['oneofs'] {
    return (this.#members ??= this.#read()).oneofs;
  }

  get members(): DescMessage['members'] {
    return (this.#members ??= this.#read()).members;
  }

  toString(): string {
    return `message ${this.typeName}`;
  }

  #read(): Members {
    const { proto } = this.file.content.messageAt(this.#path);
    const declared = proto.all(8).map((one) => this.#oneof(one.text(1)));
    const fields: DescField[] = [];
    const members: (DescField | DescOneof)[] = [];
    const oneofs: DescOneof[] = [];
    for (const one of proto.all(2)) {
      // What is optional by a word of its own is in a group of one, for the wire's sake.
      const place = one.number(17) === 1 ? undefined : one.number(9);
      const oneof = place === undefined ? undefined : declared[place];
      const field = this.#field(one, oneof);
      fields.push(field);
      if (!oneof) members.push(field);
      else {
        if (oneof.fields.length === 0) members.push(oneof);
        oneof.fields.push(field);
      }
    }
    oneofs.push(...declared.filter((one) => one.fields.length > 0));
    return { fields, members, oneofs, field: Object.fromEntries(fields.map((field) => [field.localName, field])) };
  }

  #oneof(name: string): DescOneof {
    const parent = this as unknown as DescMessage;
    const localName = safe(camelCase(name));
    const toString = (): string => `oneof ${this.typeName}.${name}`;
    return { kind: 'oneof', deprecated: false, parent, fields: [], name, localName, toString } as unknown as DescOneof;
  }

  #field(proto: ProtoFields, oneof: DescOneof | undefined): DescField {
    const name = proto.text(1);
    const type = proto.number(5) ?? 0;
    const isRepeated = proto.number(4) === REPEATED;
    const typeName = proto.text(6).slice(1);
    const isPresent = oneof !== undefined || proto.number(17) === 1 || (type === MESSAGE && !isRepeated);
    const camel = camelCase(name);
    const field = {
      kind: 'field',
      name,
      localName: oneof ? camel : safe(camel),
      jsonName: proto.text(10) || camel,
      number: proto.number(3) ?? 0,
      parent: this as unknown as DescMessage,
      oneof,
      deprecated: false,
      presence: isPresent ? EXPLICIT : IMPLICIT,
      utf8Validation: true,
      longAsString: false,
      delimitedEncoding: false,
      getDefaultValue: () => undefined,
      toString: () => `field ${this.typeName}.${name}`,
      ...(isRepeated ? this.#repeated(proto, { type, typeName }) : this.#value(type, typeName)),
    };
    return field as unknown as DescField;
  }

  #value(type: number, typeName: string): object {
    if (type === GROUP) throw new TypeError(`message ${this.typeName} has a group, which proto3 has not`);
    if (type === MESSAGE) return { fieldKind: 'message', message: this.file.messageNamed(typeName) };
    if (type === ENUM) return { fieldKind: 'enum', enum: this.file.enumNamed(typeName) };
    return { fieldKind: 'scalar', scalar: type };
  }

  #repeated(proto: ProtoFields, { type, typeName }: { readonly type: number; readonly typeName: string }): object {
    const entry = type === MESSAGE ? this.file.mapEntryNamed(typeName) : undefined;
    if (entry) {
      const [key, value] = [1, 2].map((number) => entry.proto.all(2).find((one) => one.number(3) === number));
      const of = this.#value(value?.number(5) ?? 0, value?.text(6).slice(1) ?? '') as { fieldKind: string };
      return { ...of, fieldKind: 'map', mapKind: of.fieldKind, mapKey: key?.number(5) };
    }
    const of = this.#value(type, typeName) as { fieldKind: string };
    const isPacked = ![STRING, BYTES, MESSAGE].includes(type) && proto.all(8)[0]?.number(2) !== 0;
    return { ...of, fieldKind: 'list', listKind: of.fieldKind, packed: isPacked };
  }
}

class LazyEnum {
  readonly kind = 'enum';
  readonly open = true;
  readonly deprecated = false;
  readonly file: LazyFile;
  readonly #path: readonly number[];
  #values: DescEnum['values'] | undefined;
  #value: DescEnum['value'] | undefined;

  constructor(file: LazyFile, path: readonly number[]) {
    this.file = file;
    this.#path = path;
  }

  get typeName(): string {
    return this.file.content.enumAt(this.#path).typeName;
  }

  get values(): DescEnum['values'] {
    return (this.#values ??= this.file.content
      .enumAt(this.#path)
      .proto.all(2)
      .map((proto) => {
        const [kind, name, number] = ['enum_value', proto.text(1), (proto.number(2) ?? 0) | 0];
        return {
          kind,
          name,
          jsonName: name,
          localName: name,
          number,
          parent: this,
        } as unknown as DescEnum['values'][number];
      }));
  }

  /** By number; of several names of one number the first. */
  get value(): DescEnum['value'] {
    return (this.#value ??= Object.fromEntries(this.values.toReversed().map((one) => [one.number, one])));
  }

  toString(): string {
    return `enum ${this.typeName}`;
  }
}

type MethodKind = DescMethod['methodKind'];

class LazyService {
  readonly kind = 'service';
  readonly deprecated = false;
  readonly file: LazyFile;
  readonly #at: number;
  #methods: readonly DescMethod[] | undefined;

  constructor(file: LazyFile, at: number) {
    this.file = file;
    this.#at = at;
  }

  get name(): string {
    return this.#proto.text(1);
  }

  get typeName(): string {
    return nameIn(this.file.content.package, this.name);
  }

  get methods(): readonly DescMethod[] {
    return (this.#methods ??= this.#proto.all(2).map((proto) => this.#method(proto)));
  }

  get method(): DescService['method'] {
    return Object.fromEntries(this.methods.map((method) => [method.localName, method]));
  }

  toString(): string {
    return `service ${this.typeName}`;
  }

  get #proto(): ProtoFields {
    const found = this.file.content.services[this.#at];
    if (!found) throw new TypeError(`service ${this.#at} is not described`);
    return found;
  }

  #method(proto: ProtoFields): DescMethod {
    const { file } = this;
    const name = proto.text(1);
    const kinds: readonly MethodKind[] = ['unary', 'client_streaming', 'server_streaming', 'bidi_streaming'];
    const method = {
      kind: 'rpc',
      name,
      localName: safe(name.slice(0, 1).toLowerCase() + name.slice(1)),
      parent: this as unknown as DescService,
      deprecated: false,
      methodKind: kinds[(proto.number(5) ?? 0) + 2 * (proto.number(6) ?? 0)],
      get input() {
        return file.messageNamed(proto.text(2).slice(1));
      },
      get output() {
        return file.messageNamed(proto.text(3).slice(1));
      },
      toString: () => `rpc ${this.typeName}.${name}`,
    };
    return method as unknown as DescMethod;
  }
}

/** A field's name as JSON has it (protobuf's ToJsonName). */
function camelCase(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

const TAKEN: ReadonlySet<string> = new Set(['constructor', 'toString', 'toJSON', 'valueOf']);

/** As generated code names members that every object has. */
function safe(name: string): string {
  return TAKEN.has(name) ? `${name}$` : name;
}
