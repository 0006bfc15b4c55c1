import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Channel, CodedError, systemRandom } from '../base/index.ts';
import { configOf, openArchive, openLayout, selectImage, type ImageConfig } from '../image/index.ts';
import { folderSource } from '../tree/index.ts';
import type { BuildHost, ByteChannel, Sink } from '../worker/index.ts';
import type { Builder, BuildEvent, BuildRequest, BuildResult, ExportRequest } from './index.ts';

/** A builder, and what RUN lines need there. */
export interface BuilderPlace extends AsyncDisposable {
  readonly builder: Builder;
  /** The first lines of a stage in which `echo TEXT`, `cat FILE`, `ssh-add -l` and `exit N` work. */
  readonly base: string;
  /** Folders of this machine that these lines read, by the name that they are offered under; `context:NAME` says where. */
  readonly folders: Readonly<Record<string, string>>;
  /** A command that does not end. */
  readonly forever: string;
  /** Forgets all that was built. */
  forget(): Promise<void>;
}

export type Files = Readonly<Record<string, string>>;

export interface Asked {
  readonly options?: Readonly<Record<string, string>>;
  readonly exports?: readonly ExportRequest[];
  readonly folders?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Ids of agents, each with one key of this name. */
  readonly agents?: Readonly<Record<string, string>>;
  /** Folders that outputs and caches are written to, by their sink, and layouts that are read, by their store. */
  readonly sinks?: Readonly<Record<string, string>>;
  readonly stores?: Readonly<Record<string, string>>;
  readonly cacheFrom?: BuildRequest['cacheFrom'];
  readonly cacheTo?: BuildRequest['cacheTo'];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: BuildEvent) => void;
}

export interface Built {
  readonly events: readonly BuildEvent[];
  readonly result: BuildResult | undefined;
  readonly error: unknown;
  readonly log: string;
  /** Names of the steps that were at work. */
  readonly ran: readonly string[];
  /** Streams that were written whole, by their sink. */
  readonly streams: ReadonlyMap<string, Buffer>;
}

export const ARCHIVE: ExportRequest = { type: 'oci', sink: 'archive', tar: true, names: ['docker.io/library/suite:1'] };

/** Builds by one builder, and what they came to. */
export class SuiteRig implements AsyncDisposable {
  readonly #place: BuilderPlace;
  readonly #folder = mkdtempSync(join(tmpdir(), 'strake-suite-'));
  #count = 0;

  constructor(place: BuilderPlace) {
    this.#place = place;
  }

  get base(): string {
    return this.#place.base;
  }

  get baseLines(): number {
    return this.base.split('\n').length;
  }

  forget(): Promise<void> {
    return this.#place.forget();
  }

  get forever(): string {
    return this.#place.forever;
  }

  /** A word that no build has seen. */
  unique(): string {
    return systemRandom.hex(8);
  }

  folder(files: Files): string {
    const folder = join(this.#folder, `files-${this.#count++}`);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return folder;
  }

  async build(files: Files, o: Asked = {}): Promise<Built> {
    const folder = this.folder(files);
    const streams = new Map<string, Buffer>();
    const folders = { ...this.#place.folders, ...o.folders };
    const named = Object.keys(this.#place.folders).map((name) => [`context:${name}`, `local:${name}`]);
    const request: BuildRequest & { annotations: [] } = {
      frontend: 'dockerfile',
      options: { ...(Object.fromEntries(named) as Record<string, string>), ...o.options },
      platforms: [],
      exports: o.exports ?? [ARCHIVE],
      allow: [],
      annotations: [],
      cacheFrom: o.cacheFrom,
      cacheTo: o.cacheTo,
    };
    const events: BuildEvent[] = [];
    let error: unknown;
    try {
      const host = this.#host(folder, { ...o, folders, streams });
      for await (const event of this.#place.builder.build(request, host, { signal: o.signal })) {
        events.push(event);
        o.onEvent?.(event);
      }
    } catch (thrown) {
      error = thrown;
    }
    const names = new Map(events.flatMap((event) => (event.kind === 'vertex' ? [[event.id, event.name]] : [])));
    return {
      events,
      error,
      streams,
      result: events.flatMap((event) => (event.kind === 'result' ? [event.result] : []))[0],
      log: events.flatMap((event) => (event.kind === 'log' ? [Buffer.from(event.chunk).toString()] : [])).join(''),
      ran: events.flatMap((event) => (event.kind === 'started' ? [names.get(event.id) ?? ''] : [])),
    };
  }

  /** The files of what was built, by path. */
  async toFolder(files: Files, o: Asked = {}): Promise<Files> {
    const { error, streams } = await this.build(files, { ...o, exports: [{ type: 'tar', sink: 'tar' }] });
    if (error !== undefined) throw error;
    return filesOf(streams.get('tar') ?? Buffer.alloc(0));
  }

  async configOf(built: Built): Promise<ImageConfig> {
    const path = join(this.#folder, `archive-${this.#count++}.tar`);
    writeFileSync(path, built.streams.get('archive') ?? '');
    using archive = await openArchive(path, { temp: this.#folder, random: systemRandom });
    const image = await selectImage(archive, { wanted: undefined, what: path }).open();
    assert.equal(image.kind, 'image');
    return await configOf(image);
  }

  #host(
    folder: string,
    o: Asked & { folders: Readonly<Record<string, string>>; streams: Map<string, Buffer> },
  ): BuildHost {
    const refuse = (): never => {
      throw new CodedError({ code: 'NOT_OFFERED', kind: 'not_found', message: 'not offered' });
    };
    const folders: Readonly<Record<string, string>> = { context: folder, dockerfile: folder, ...o.folders };
    const stream = (name: string): Sink => ({
      kind: 'stream',
      open: async () => {
        const chunks: Buffer[] = [];
        return {
          write: async (chunk) => void chunks.push(Buffer.from(chunk)),
          close: async () => void o.streams.set(name, Buffer.concat(chunks)),
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    });
    return {
      files: (name) => folderSource(folders[name] ?? refuse(), { owner: { uid: 0, gid: 0 } }),
      secret: async (id) => (o.secrets?.[id] === undefined ? undefined : Buffer.from(o.secrets[id])),
      agent: async (id) => agentWith(o.agents?.[id] ?? refuse()),
      credentials: async () => undefined,
      blobs: (store) => openLayout(o.stores?.[store] ?? refuse()).blobs,
      sink: (name) => {
        const path = o.sinks?.[name];
        return path === undefined ? stream(name) : { kind: 'folder', path };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** An ssh agent that has one key and tells of it (draft-ietf-sshm-ssh-agent). */
function agentWith(comment: string): ByteChannel {
  const text = (value: Uint8Array | string): Buffer => {
    const bytes = Buffer.from(value);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    return Buffer.concat([head, bytes]);
  };
  const key = Buffer.concat([text('ssh-ed25519'), text(Buffer.alloc(32, 7))]);
  const answer = text(Buffer.concat([Buffer.of(12, 0, 0, 0, 1), text(key), text(comment)]));
  const out = new Channel<Uint8Array>();
  return {
    readable: out,
    // Whatever is asked: one request is one message here.
    write: async () => out.push(answer),
    [Symbol.asyncDispose]: async () => out.end(),
  };
}

/** The regular files of a tar, by path. */
function filesOf(tar: Buffer): Files {
  const files: Record<string, string> = {};
  for (let at = 0; at + 512 <= tar.length;) {
    const header = tar.subarray(at, at + 512);
    const path = header.subarray(0, 100).toString().replace(/\0.*$/s, '');
    if (path === '') break;
    const size = Number.parseInt(header.subarray(124, 136).toString().trim(), 8) || 0;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === '0' || type === '\0')
      files[path.replace(/^\.?\//, '')] = tar.subarray(at + 512, at + 512 + size).toString();
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
