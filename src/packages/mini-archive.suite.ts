import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { block, header, octal } from '../tree/tar-blocks.suite.ts';
import type { TestKey } from './openpgp.suite.ts';

/** A file of a test package; text is a file of mode 0644. Names that end in "/" are folders. */
export type DebFile =
  | string
  | {
      readonly content?: string;
      readonly mode?: number;
      readonly link?: string;
      readonly hardlink?: string;
      readonly uid?: number;
    };

export interface DebSpec {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  /** Further lines of the control file. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Files of the control archive: scripts, conffiles, triggers. */
  readonly control?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, DebFile>>;
  readonly compression?: 'gz' | 'zst' | '';
}

/** A .deb of a few files. */
export function makeDeb(spec: DebSpec): Buffer {
  const fields = {
    Package: spec.name,
    Version: spec.version ?? '1.0',
    Architecture: spec.architecture ?? 'amd64',
    Maintainer: 'Nobody <nobody@example.org>',
    ...spec.fields,
    Description: 'a test package',
  };
  const text = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  const scripts = Object.entries(spec.control ?? {}).map(
    ([name, content]) => [name, { content, mode: /^(?:pre|post)(?:inst|rm)$/.test(name) ? 0o755 : 0o644 }] as const,
  );
  const control = makeTar({ './': {}, control: text.join(''), ...Object.fromEntries(scripts) });
  const data = makeTar({ './': {}, ...spec.files });
  const ending = spec.compression ?? 'gz';
  const packed = (tar: Buffer): Buffer =>
    ending === 'gz' ? gzipSync(tar) : ending === 'zst' ? zstdCompressSync(tar) : tar;
  const suffix = ending === '' ? '' : `.${ending}`;
  return makeAr({
    'debian-binary': Buffer.from('2.0\n'),
    [`control.tar${suffix}`]: packed(control),
    [`data.tar${suffix}`]: packed(data),
  });
}

export function makeAr(members: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, content] of Object.entries(members)) {
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(head), content, Buffer.alloc(content.length % 2, '\n'));
  }
  return Buffer.concat(parts);
}

export function makeTar(files: Readonly<Record<string, DebFile>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(files)) {
    const file = typeof value === 'string' ? { content: value } : value;
    const folder = name.endsWith('/');
    const content = Buffer.from(file.content ?? '');
    const type = folder ? '5' : file.link !== undefined ? '2' : file.hardlink !== undefined ? '1' : '0';
    const mode = file.mode ?? (folder ? 0o755 : 0o644);
    const target = file.link ?? (file.hardlink === undefined ? '' : `./${file.hardlink}`);
    parts.push(
      header({
        0: name === './' ? './' : `./${name}`,
        100: octal(mode).slice(-8),
        108: octal(file.uid ?? 0).slice(-8),
        124: octal(content.length),
        136: octal(1_600_000_000),
        156: type,
        157: target,
      }),
      block(content),
    );
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export interface MiniSuite {
  readonly suite: string;
  readonly packages: readonly DebSpec[];
  /** Fields of the Release file that replace or join the usual ones; "" leaves one out. */
  readonly release?: Readonly<Record<string, string>>;
  readonly component?: string;
}

/** Writes an archive with one suite below `folder`: pool, indexes, and a Release file signed by `key` (InRelease, or with `detached` Release and Release.gpg). */
export function writeArchive(folder: string, o: MiniSuite & { key?: TestKey; detached?: boolean }): void {
  const component = o.component ?? 'main';
  const entries: string[] = [];
  for (const spec of o.packages) {
    const deb = makeDeb(spec);
    const version = spec.version ?? '1.0';
    const path = `pool/${component}/${spec.name[0]}/${spec.name}/${spec.name}_${version.replace(/^\d+:/, '')}_${spec.architecture ?? 'amd64'}.deb`;
    put(join(folder, path), deb);
    const fields = Object.entries(spec.fields ?? {}).map(([name, value]) => `${name}: ${value}\n`);
    entries.push(
      `Package: ${spec.name}\nVersion: ${version}\nArchitecture: ${spec.architecture ?? 'amd64'}\n${fields.join('')}Filename: ${path}\nSize: ${deb.length}\nSHA256: ${sha256(deb)}\nDescription: a test package\n`,
    );
  }
  const index = Buffer.from(entries.join('\n'));
  const dist = join(folder, 'dists', o.suite);
  const files: [string, Buffer][] = [
    [`${component}/binary-amd64/Packages`, index],
    [`${component}/binary-amd64/Packages.gz`, gzipSync(index)],
  ];
  for (const [path, content] of files) put(join(dist, path), content);
  const fields: Record<string, string> = {
    Origin: 'Debian',
    Suite: o.suite,
    Codename: o.suite,
    Date: 'Sat, 11 Jul 2026 10:16:37 UTC',
    Architectures: 'all amd64 arm64',
    'No-Support-for-Architecture-all': 'Packages',
    Components: component,
    ...o.release,
  };
  const text =
    Object.entries(fields)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `${name}: ${value}\n`)
      .join('') +
    `SHA256:\n${files.map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}\n`).join('')}`;
  if (o.key && o.detached !== true) put(join(dist, 'InRelease'), Buffer.from(o.key.clearSign(text)));
  else put(join(dist, 'Release'), Buffer.from(text));
  if (o.key && o.detached === true) put(join(dist, 'Release.gpg'), o.key.detach(Buffer.from(text)));
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function put(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
