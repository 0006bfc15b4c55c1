import { copyFileSync, chmodSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findTool, runTool, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';

/**
 * A small root with only these programs and the libraries they load: a step's processes are started from it, so that the machine's own root is not in their mount namespace at all, whatever way out of a chroot they find.
 */
export async function makeToolRoot(folder: string, o: { readonly tools: readonly string[] } & Wait): Promise<void> {
  for (const name of ['bin', 'old', 'proc', 'rootfs']) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  const libraries = new Set<string>();
  for (const name of o.tools) {
    const path = toolPath(name);
    copy(path, join(folder, 'bin', name));
    for (const library of await librariesOf(path, o)) libraries.add(library);
  }
  for (const library of libraries) {
    mkdirSync(dirname(join(folder, library)), { recursive: true, mode: 0o755 });
    copy(library, join(folder, library));
  }
}

/** Where a program is, by the name it was asked for: one file can be many programs, which look at it. Throws `EXECUTOR_UNAVAILABLE` when it is not installed. */
export function toolPath(name: string): string {
  const path = findTool(name);
  if (path === undefined)
    throw execError('EXECUTOR_UNAVAILABLE', `find the program "${name}": not installed`, {
      remedy: 'Install util-linux and coreutils.',
    });
  return path;
}

/** What the dynamic linker would load; none for a static program. */
async function librariesOf(path: string, w: Wait): Promise<string[]> {
  const said = await runTool('ldd', [path], { ...w, check: false });
  if (said.code !== 0 && !/not a dynamic executable/.test(said.stderr))
    throw execError('EXECUTOR_UNAVAILABLE', `list the libraries of "${path}": ${said.stderr.trim()}`);
  return [...said.stdout.toString().matchAll(/(?:=>\s*|^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
}

function copy(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}
