import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The forms in which bytes may have been written down: as they are, as base64 at each alignment, as hexadecimal digits. */
export function formsOf(name: string, bytes: Uint8Array): readonly { readonly name: string; readonly bytes: Buffer }[] {
  const plain = Buffer.from(bytes);
  const base64 = [0, 1, 2].map((shift) => {
    // What depends on neighbours is left out at both ends.
    const text = Buffer.concat([Buffer.alloc(shift), plain]).toString('base64');
    return Buffer.from(text.slice(shift === 0 ? 0 : 4, -4));
  });
  return [plain, ...base64, Buffer.from(plain.toString('hex'))].map((form, i) => ({
    name: `${name} (${['plain', 'base64', 'base64', 'base64', 'hex'][i]})`,
    bytes: form,
  }));
}

export type Needles = ReturnType<typeof formsOf>;

/** What of the needles is in some bytes, also where they are gzip. */
export function foundIn(what: string, bytes: Uint8Array, needles: Needles): string[] {
  const plain = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const all = plain[0] === 0x1f && plain[1] === 0x8b ? [plain, gunzipSync(plain)] : [plain];
  return needles.flatMap(({ name, bytes: form }) =>
    all.some((one) => one.includes(form)) ? [`${name} in ${what}`] : [],
  );
}

/** What of the needles is in the files below a folder, or in their names or link targets. Files that vanish meanwhile are left out. Says how many files it has read. */
export function foundBelow(folder: string, needles: Needles): { readonly found: string[]; readonly files: number } {
  const found: string[] = [];
  let files = 0;
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      found.push(...foundIn(`the name ${path}`, Buffer.from(entry.name), needles));
      try {
        if (entry.isDirectory()) walk(path);
        else if (lstatSync(path).isFile()) {
          files += 1;
          found.push(...foundIn(path, readFileSync(path), needles));
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  };
  walk(folder);
  return { found, files };
}
