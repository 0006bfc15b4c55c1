import { hasCode, type Wait } from '../../base/index.ts';
import type { Entry, TreeView, ViewNode } from '../../tree/index.ts';
import { purl } from '../purl.ts';
import type { Distribution, FoundPackage } from './found-package.ts';
import { apkRecords, stanzas } from './stanzas.ts';

/** Larger records are passed over: nobody writes such. */
const DATABASE_LIMIT = 64 << 20;
const RECORD_LIMIT = 4 << 20;

export interface PackageList {
  /** Each package URL once, sorted by it. */
  readonly packages: readonly FoundPackage[];
  /** What is there and was not read, in words. */
  readonly passedOver: readonly string[];
}

/**
 * The packages of a file system by what their managers have on record: dpkg (status, status.d), apk, and those of Node.js (node_modules) and Python (dist-info, egg-info). Records that cannot be read count for nothing. rpm's database is
 * not read, and told to be passed over.
 */
export async function readPackages(view: TreeView, w: Wait = {}): Promise<PackageList> {
  const reading = new Reading(view, w);
  await reading.system();
  for (const node of view.walk('')) await reading.visit(node);
  return reading.list();
}

const RPM = ['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm'];
const NODE_PACKAGE = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/;
const PYTHON_PACKAGE = /(?:\.dist-info\/METADATA|\.egg-info\/PKG-INFO|\.egg-info)$/;

class Reading {
  readonly #view: TreeView;
  readonly #w: Wait;
  readonly #found = new Map<string, FoundPackage>();
  readonly #passedOver: string[] = [];

  constructor(view: TreeView, w: Wait) {
    this.#view = view;
    this.#w = w;
  }

  /** Packages of the operating system. */
  async system(): Promise<void> {
    const distribution = await this.#distribution();
    await this.#dpkg('var/lib/dpkg/status', distribution);
    const folder = 'var/lib/dpkg/status.d';
    if (this.#isFolder(folder))
      for (const { path } of this.#view.list(folder))
        if (!path.endsWith('.md5sums')) await this.#dpkg(path, distribution);
    for (const path of ['lib/apk/db/installed', 'usr/lib/apk/db/installed']) await this.#apk(path, distribution);
    for (const path of RPM)
      if (this.#isFolder(path) && this.#view.list(path).length > 0)
        this.#passedOver.push(`the packages of rpm (/${path})`);
  }

  /** What lies anywhere: packages of languages. */
  async visit({ path, entry }: ViewNode): Promise<void> {
    if (entry.type !== 'file' || entry.size > RECORD_LIMIT) return;
    if (NODE_PACKAGE.test(path)) await this.#node(path);
    else if (PYTHON_PACKAGE.test(path)) await this.#python(path);
  }

  list(): PackageList {
    const packages = [...this.#found.values()].sort((a, b) => (a.purl < b.purl ? -1 : Number(a.purl > b.purl)));
    return { packages, passedOver: this.#passedOver };
  }

  async #distribution(): Promise<Distribution> {
    const text = (await this.#text('etc/os-release')) ?? (await this.#text('usr/lib/os-release')) ?? '';
    const value = (name: string): string =>
      (new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '').trim().replace(/^(["'])(.*)\1$/, '$2');
    const [id, version] = [value('ID'), value('VERSION_ID')];
    return { id, ...(id === '' || version === '' ? {} : { release: `${id}-${version}` }) };
  }

  async #dpkg(path: string, { id, release }: Distribution): Promise<void> {
    const text = await this.#text(path, DATABASE_LIMIT);
    if (text === undefined) return;
    for (const fields of stanzas(text)) {
      const [name, version] = [fields.get('package'), fields.get('version')];
      // In status.d there is no state: what is there is installed.
      const state = fields.get('status')?.split(/\s+/)[2] ?? 'installed';
      if (!name || !version || state === 'config-files' || state === 'not-installed') continue;
      const source = fields
        .get('source')
        ?.replace(/^(\S+)(?:\s+\((.*)\))?.*$/, (_, of: string, at?: string) =>
          at === undefined || at === version ? of : `${of}@${at}`,
        );
      this.#add(path, {
        name,
        version,
        purl: purl({
          type: 'deb',
          namespace: id || 'debian',
          name,
          version,
          qualifiers: { arch: fields.get('architecture'), distro: release, upstream: source },
        }),
      });
    }
  }

  async #apk(path: string, { id, release }: Distribution): Promise<void> {
    const text = await this.#text(path, DATABASE_LIMIT);
    if (text === undefined) return;
    for (const fields of apkRecords(text)) {
      const [name, version] = [fields.get('P'), fields.get('V')];
      if (!name || !version) continue;
      const origin = fields.get('o');
      this.#add(path, {
        name,
        version,
        license: fields.get('L'),
        purl: purl({
          type: 'apk',
          namespace: id || 'alpine',
          name,
          version,
          qualifiers: { arch: fields.get('A'), distro: release, upstream: origin === name ? undefined : origin },
        }),
      });
    }
  }

  async #node(path: string): Promise<void> {
    let value: unknown;
    try {
      value = JSON.parse((await this.#text(path)) ?? '');
    } catch {
      return;
    }
    const { name, version, license } = (value ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string' || typeof version !== 'string' || name === '' || version === '') return;
    const slash = name.indexOf('/');
    this.#add(path, {
      name,
      version,
      license: typeof license === 'string' ? license : undefined,
      purl: purl({
        type: 'npm',
        namespace: slash < 0 ? undefined : name.slice(0, slash),
        name: name.slice(slash + 1),
        version,
      }),
    });
  }

  async #python(path: string): Promise<void> {
    const [fields] = stanzas((await this.#text(path)) ?? '', { first: true });
    const [name, version] = [fields?.get('name'), fields?.get('version')];
    if (!name || !version) return;
    const license = fields?.get('license-expression') ?? fields?.get('license');
    const normal = name.toLowerCase().replaceAll(/[-_.]+/g, '-');
    this.#add(path, { name, version, license, purl: purl({ type: 'pypi', name: normal, version }) });
  }

  #add(path: string, one: Omit<FoundPackage, 'from'>): void {
    const known = this.#found.get(one.purl);
    const from = [...(known?.from ?? []), `/${path}`];
    const { license, ...rest } = known ?? one;
    const told = license === undefined || license === '' || license === 'UNKNOWN' ? {} : { license };
    this.#found.set(one.purl, { ...rest, ...told, from });
  }

  /** The text at a path, links followed; undefined where there is no file, or one that is too large. */
  async #text(path: string, limit = RECORD_LIMIT): Promise<string | undefined> {
    const entry = this.#stat(path);
    if (entry?.type !== 'file' || entry.size > limit) return undefined;
    return Buffer.from(await this.#view.readFile(path, { limit, ...this.#w })).toString();
  }

  #isFolder(path: string): boolean {
    return this.#stat(path)?.type === 'directory';
  }

  #stat(path: string): Entry | undefined {
    try {
      return this.#view.stat(path)?.entry;
    } catch (error) {
      if (hasCode(error, 'LINK_LOOP')) return undefined;
      throw error;
    }
  }
}
