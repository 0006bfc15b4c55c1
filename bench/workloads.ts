import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export interface Workload {
  readonly name: string;
  readonly title: string;
  /** It builds on Debian: the base must be made first. */
  readonly onBase?: boolean | undefined;
  /** The same folder is built once before, outside the timing; otherwise each repetition has a context of its own that no tool has seen. */
  readonly again?: boolean | undefined;
  /** Of a folder that was built before: what a user edits before the timing starts. */
  change?(folder: string, salt: string): void;
  /** Files of the context are what it is about: it is measured through strake's daemon, too. */
  readonly transfers?: boolean | undefined;
  /** The most that strake may take of docker's time, as the project's plan has it. */
  readonly goal?: number | undefined;
  /** Writes the context, Dockerfile included. `salt` makes it differ from every other. */
  write(folder: string, salt: string): void;
}

const MIB = 1024 * 1024;
const NODE_MODULES = join(import.meta.dirname, '../node_modules');

export const workloads: readonly Workload[] = [
  {
    name: 'tiny-copy',
    title: 'COPY of one small file, FROM scratch',
    write(folder, salt) {
      put(folder, 'Dockerfile', 'FROM scratch\nCOPY hello /hello\n');
      put(folder, 'hello', `hello ${salt}\n`);
    },
  },
  {
    name: 'no-op',
    title: 'nothing changed: 12 steps on Debian built again',
    onBase: true,
    again: true,
    goal: 0.15,
    write(folder, salt) {
      const steps = [`WORKDIR /app`, `RUN echo ${salt} > /app/salt`];
      for (let n = 1; n <= 5; n += 1) {
        steps.push(`COPY part${n} part${n}/`, `RUN ls part${n} > list${n}`);
        for (let file = 0; file < 10; file += 1)
          put(folder, `part${n}/file${file}`, `${salt} ${n} ${file}\n`.repeat(100));
      }
      put(folder, 'Dockerfile', debian(...steps));
    },
  },
  {
    name: 'big-context',
    title: 'COPY of 1 GiB in 64 files, FROM scratch',
    transfers: true,
    goal: 0.2,
    write(folder, salt) {
      put(folder, 'Dockerfile', 'FROM scratch\nCOPY data /data\n');
      mkdirSync(join(folder, 'data'));
      for (let file = 0; file < 64; file += 1) writeMixed(join(folder, 'data', `part-${file}.bin`), file, salt);
    },
  },
  {
    name: 'many-files',
    title: 'COPY of 50,000 small files (a node_modules), FROM scratch',
    transfers: true,
    goal: 0.2,
    write(folder, salt) {
      put(folder, 'Dockerfile', 'FROM scratch\nCOPY apps /apps\n');
      put(folder, 'apps/salt', salt);
      writePackages(join(folder, 'apps'), 49_999);
    },
  },
  {
    name: 'many-files-again',
    title: 'the same 50,000 files, one of them changed',
    transfers: true,
    again: true,
    write(folder, salt) {
      put(folder, 'Dockerfile', 'FROM scratch\nCOPY apps /apps\n');
      put(folder, 'apps/salt', salt);
      writePackages(join(folder, 'apps'), 49_999);
    },
    change: (folder, salt) => put(folder, 'apps/salt', salt),
  },
  {
    name: 'many-runs',
    title: '20 tiny RUNs on Debian',
    onBase: true,
    goal: 0.2,
    write(folder, salt) {
      const runs = Array.from({ length: 20 }, (_, n) => `RUN echo ${salt} ${n} > /${n}`);
      put(folder, 'Dockerfile', debian(...runs));
    },
  },
  {
    name: 'parallel-stages',
    title: 'four stages of sleep 2 side by side, on Debian',
    onBase: true,
    goal: 0.85,
    write(folder, salt) {
      const stages = [1, 2, 3, 4].map((n) => `FROM \${BASE} AS stage${n}\nRUN sleep 2; echo ${salt} > /out${n}\n`);
      const copies = [1, 2, 3, 4].map((n) => `COPY --from=stage${n} /out${n} /\n`);
      put(folder, 'Dockerfile', `ARG BASE\n${stages.join('')}FROM scratch\n${copies.join('')}`);
    },
  },
  {
    name: 'one-line',
    title: 'one line of a source file changed, below 2,000 files of packages, on Debian',
    onBase: true,
    again: true,
    goal: 0.25,
    write(folder, salt) {
      const steps = ['WORKDIR /app', 'COPY packages packages/', `RUN echo ${salt} > made`, 'COPY src src/'];
      put(folder, 'Dockerfile', debian(...steps, 'RUN cat src/* > bundle', 'CMD ["cat", "bundle"]'));
      put(folder, 'packages/salt', salt);
      writePackages(join(folder, 'packages'), 2000);
      for (let file = 0; file < 20; file += 1) put(folder, `src/${file}.js`, `// ${salt} ${file}\n`.repeat(50));
    },
    change: (folder, salt) => put(folder, 'src/7.js', `// ${salt}\n`),
  },
  {
    name: 'small-cold',
    title: 'a small application on Debian, nothing of it cached',
    onBase: true,
    goal: 0.45,
    write(folder, salt) {
      const steps = [
        'WORKDIR /app',
        'COPY src src/',
        'RUN cat src/* > all',
        'RUN sort all > sorted',
        'RUN useradd app',
      ];
      put(folder, 'Dockerfile', debian(...steps, 'COPY --chown=app run /app/', 'USER app', 'CMD ["/app/run"]'));
      put(folder, 'run', `#!/bin/sh\necho ${salt}\n`);
      for (let file = 0; file < 50; file += 1) put(folder, `src/${file}`, `${salt} ${file}\n`.repeat(40));
    },
  },
  {
    name: 'big-layer',
    title: 'a layer of 3 GiB made by a RUN, on Debian',
    onBase: true,
    goal: 0.3,
    write(folder, salt) {
      // Programs and libraries over and over, each time after some bytes that no compressor has seen.
      const piece = 'head -c 1M /dev/urandom; cat /usr/bin/* /usr/lib/*/*.so*';
      put(
        folder,
        'Dockerfile',
        debian(`RUN (echo ${salt}; while ${piece}; do :; done) 2>/dev/null | head -c 3G > /big`),
      );
    },
  },
  {
    name: 'multi-stage',
    title: 'a stage of 512 MiB of which five files are copied, on Debian',
    onBase: true,
    write(folder, salt) {
      const make = `RUN mkdir /out && head -c 512M /dev/zero > /objects && for n in 1 2 3 4 5; do echo ${salt} $n > /out/$n; done`;
      put(
        folder,
        'Dockerfile',
        `ARG BASE\nFROM \${BASE} AS build\n${make}\nFROM \${BASE}\nCOPY --from=build /out/ /app/\n`,
      );
    },
  },
];

/** What every tool does once before the timing starts. */
export function warmUp(onBase: boolean): Workload {
  const [from, step] = onBase ? ['ARG BASE\nFROM ${BASE}', 'RUN cat /salt'] : ['FROM scratch', 'LABEL a=b'];
  return {
    name: 'warm-up',
    title: 'one step',
    write(folder, salt) {
      put(folder, 'Dockerfile', `${from}\nCOPY salt /salt\n${step}\n`);
      put(folder, 'salt', salt);
    },
  };
}

function debian(...steps: readonly string[]): string {
  return `ARG BASE\nFROM \${BASE}\n${steps.join('\n')}\n`;
}

function put(folder: string, name: string, content: string | Uint8Array): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/**
 * 16 MiB that compress as real data do: out of each 8 pieces of 1 MiB, 5 of this machine's libraries and programs, 2 of its text files and 1 that does not compress at all.
 * The salt stands at the start of each piece.
 */
function writeMixed(path: string, file: number, salt: string): void {
  binaries ??= pool(['/usr/lib', '/usr/bin'], 128 * MIB);
  text ??= pool(['/usr/share', '/etc', '/usr/include'], 32 * MIB);
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, `${salt}${file}`), Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  const fd = openSync(path, 'w');
  try {
    for (let piece = 0; piece < 16; piece += 1) {
      const at = file * 16 + piece;
      const kind = piece % 8;
      const content = kind === 7 ? noise.update(zeros) : slice(kind < 5 ? binaries : text, at);
      content.write(`${salt} ${at}\n`);
      writeSync(fd, content);
    }
  } finally {
    closeSync(fd);
  }
}

let binaries: Buffer | undefined;
let text: Buffer | undefined;

function slice(from: Buffer, piece: number): Buffer {
  const start = (piece * MIB) % (from.length - MIB);
  return Buffer.from(from.subarray(start, start + MIB));
}

/** Bytes of regular files under some folders, one after the other in the order of their names. */
function pool(folders: readonly string[], size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let filled = 0;
  const share = size / folders.length;
  folders.forEach((folder, index) => {
    const end = Math.round(share * (index + 1));
    for (const file of filesUnder(folder)) {
      if (filled >= end) break;
      const fd = openSync(file, 'r');
      filled += readSync(fd, bytes, filled, Math.min(4 * MIB, end - filled), 0);
      closeSync(fd);
    }
  });
  if (filled < 2 * MIB) throw new Error(`there is too little under ${folders.join(', ')} to make a context of`);
  return bytes.subarray(0, filled);
}

function* filesUnder(folder: string): Generator<string> {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (entry.isFile() && (lstatSync(path).mode & 0o444) === 0o444) yield path;
  }
}

/** Copies of this checkout's node_modules side by side, without the few files above 64 KiB, until there are `count` entries that are not folders. */
function writePackages(folder: string, count: number): void {
  const entries = packageEntries();
  let written = 0;
  for (let app = 1; written < count; app += 1) {
    const root = join(folder, `app-${app}`, 'node_modules');
    for (const path of entries.folders) mkdirSync(join(root, path), { recursive: true });
    for (const { path, content, mode } of entries.files) {
      if (written === count) return;
      if (typeof content === 'string') symlinkSync(content, join(root, path));
      else writeFileSync(join(root, path), content, { mode });
      written += 1;
    }
  }
}

interface PackageEntries {
  readonly folders: string[];
  /** A string is a symbolic link's target. */
  readonly files: { readonly path: string; readonly content: Buffer | string; readonly mode: number }[];
}

function packageEntries(): PackageEntries {
  const entries: PackageEntries = { folders: [''], files: [] };
  for (const path of readdirSync(NODE_MODULES, { recursive: true, encoding: 'utf8' }).sort()) {
    const full = join(NODE_MODULES, path);
    const stats = lstatSync(full);
    if (stats.isDirectory()) entries.folders.push(path);
    else if (stats.isSymbolicLink()) entries.files.push({ path, content: readlinkSync(full), mode: 0 });
    else if (stats.size <= 64 * 1024) entries.files.push({ path, content: readFileSync(full), mode: stats.mode });
  }
  if (entries.files.length < 100) throw new Error('node_modules is not there: run npm ci first');
  return entries;
}
