/**
 * Programs that bring their own dynamic loader and libraries. What a program and a loader look for is set in the bytes that are there: not one is added, so that nothing in the file moves. It imports nothing of strake's: `npm run image` takes
 * this file into a build.
 */

/** A dynamic loader (of glibc) that looks for libraries in `<home>/lib` and nowhere else: its folders, its cache, what is to be loaded before all else. Throws where it has no room for that. */
export function movedLoader(loader: Buffer, home: string): Buffer {
  const own = `${home}/lib`;
  const words = [
    ...new Set(
      loader
        .toString('latin1')
        .match(/(?:(?:\/usr)?\/lib(?:64)?\/(?:[\w-]+-linux-gnu\/)?|\/strake\/(?:lib\/)?\/*)(?=\0)/g),
    ),
  ];
  const folders = words
    .sort((a, b) => b.length - a.length)
    .map((word): Replacement => [word, shortEnough(word, [own, `${home}/`, '/sys/']), '/']);
  if (!folders.some(([, to]) => to === own)) throw new Error(`move the loader: nothing in it has room for "${own}"`);
  const files = ['/etc/ld.so.cache', '/etc/ld.so.preload', '/strake/ld.cache', '/strake/ld.preload']
    .filter((word) => loader.includes(`${word}\0`))
    .map((word): Replacement => {
      const name = word.endsWith('cache') ? 'ld.cache' : 'ld.preload';
      return [word, shortEnough(word, [`${home}/${name}`, `/sys/${name}`]), '/'];
    });
  return replaced(loader, [...folders, ...files]);
}

export type Replacement = readonly [from: string, to: string, fill: string];

/** The same file with these texts, each up to its end, in place of others: not a byte longer or shorter. */
export function replaced(file: Buffer, replacements: readonly Replacement[]): Buffer {
  const bytes = Buffer.from(file);
  for (const [from, to, fill] of replacements) {
    const old = Buffer.from(`${from}\0`);
    const fresh = Buffer.from(`${to.padEnd(from.length, fill)}\0`);
    if (to.length > from.length || !bytes.includes(old)) throw new Error(`replace "${from}" by "${to}": it cannot be`);
    for (let at = bytes.indexOf(old); at >= 0; at = bytes.indexOf(old, at + 1)) fresh.copy(bytes, at);
  }
  return bytes;
}

function shortEnough(word: string, places: readonly string[]): string {
  const found = places.find((place) => place.length <= word.length);
  if (found === undefined) throw new Error(`move the loader: nothing is short enough for "${word}"`);
  return found;
}
