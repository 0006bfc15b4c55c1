import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FileServer } from '../lib/file-server.ts';
import { CHECKOUT } from '../lib/strake.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** An npm registry on loopback with the packages that a test puts there, Node's own binary among them. */
export class NpmStandIn implements AsyncDisposable {
  readonly server: FileServer;
  readonly #folder: string;
  readonly #packages = new Map<string, Package[]>();
  /** What has to be shown to read anything; undefined: nothing. */
  token: string | undefined;

  private constructor(server: FileServer, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  /** `folder`: where it may keep archives. */
  static async open(folder: string): Promise<NpmStandIn> {
    mkdirSync(folder, { recursive: true });
    const registry = new NpmStandIn(await FileServer.open(), folder);
    registry.server.guard = ({ headers }) =>
      registry.token === undefined || headers.authorization === `Bearer ${registry.token}`;
    return registry;
  }

  get url(): string {
    return this.server.url;
  }

  /** The Node that this project runs on, as the package that it came in. Gives its version. */
  addNode(): string {
    const name = `node-linux-${process.arch}`;
    const folder = join(CHECKOUT, 'node_modules', name);
    return this.#add(folder, ['package.json', 'LICENSE', 'bin/node'], { compress: false }).version;
  }

  /** The npm of this machine, as it is published: without links. */
  addNpm(): void {
    this.#add(npmFolder(), ['.'], { compress: false, exclude: ['./man', './docs', '.bin'] });
  }

  /** A package with these files; its manifest is one of them. Gives the `integrity` that a lock file has. */
  add(
    manifest: { readonly name: string; readonly version: string } & Record<string, unknown>,
    files: Readonly<Record<string, string>>,
  ): Package {
    const folder = join(this.#folder, `${manifest.name.replace('/', '-')}-${manifest.version}`);
    for (const [name, content] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content, { mode: 0o755 });
    }
    return this.#add(folder, ['.'], { compress: true });
  }

  #add(
    folder: string,
    names: readonly string[],
    { compress, exclude = [] }: { compress: boolean; exclude?: string[] },
  ): Package {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package;
    const { name, version } = manifest;
    const base = `${name.split('/').at(-1)}-${version}.tgz`;
    const file = join(this.#folder, `${name.replace('/', '-')}-${version}.tgz`);
    const skips = exclude.map((one) => `--exclude=${one}`);
    const options = [
      compress ? '-czf' : '-cf',
      file,
      '-C',
      realpathSync(folder),
      '--transform=s,^,package/,',
      ...skips,
    ];
    execFileSync('tar', [...options, ...names]);
    const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    const made = { name, version, integrity, manifest: { ...manifest } };
    this.#packages.set(name, [...(this.#packages.get(name) ?? []), made]);
    this.server.answers.set(`/${name}/-/${base}`, (_, response) => {
      response.writeHead(200, { 'content-length': statSync(file).size });
      createReadStream(file).pipe(response);
    });
    this.#answer(name, base);
    return made;
  }

  #answer(name: string, base: string): void {
    const documents = (this.#packages.get(name) ?? []).map(({ version, integrity, manifest }) => {
      // As a mirror's documents may have it: another host, which the buildpack must not ask. npm would.
      const host = name.startsWith('node-linux-') ? 'http://registry.invalid' : this.url;
      const tarball = `${host}/${name}/-/${base}`;
      return [version, { ...manifest, dist: { tarball, integrity } }] as const;
    });
    const last = documents.at(-1);
    const at = `/${name.replace('/', '%2f')}`;
    const say = (path: string, content: unknown): void =>
      this.server.file(path, JSON.stringify(content), { 'content-type': 'application/json' });
    say(at, { name, 'dist-tags': { latest: last?.[0] }, versions: Object.fromEntries(documents) });
    for (const [version, document] of documents) say(`${at}/${version}`, document);
    say(`${at}/latest`, last?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

function npmFolder(): string {
  const program = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
  const folder = join(dirname(realpathSync(program)), '..');
  // Debian's package has its parts all over the system.
  if (!['bin/npm-cli.js', 'node_modules/@npmcli/arborist'].every((part) => existsSync(join(folder, part))))
    throw new Error(`"${program}" is not npm as npm publishes it`);
  return folder;
}

/** Why there can be none here, or undefined. */
export const noNpm: string | undefined = ((): string | undefined => {
  try {
    npmFolder();
  } catch {
    return 'npm is not installed as npm publishes it';
  }
  const node = join(CHECKOUT, 'node_modules', `node-linux-${process.arch}`, 'bin/node');
  return existsSync(node) ? undefined : 'the package with the binary of Node.js is not installed';
})();
