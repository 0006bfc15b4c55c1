import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes files below a folder, which is made; gives the folder. */
export function folderWith(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return folder;
}

const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));

/** Why steps cannot be run from `FROM scratch` here, or undefined. */
export const noBusybox: string | undefined = BUSYBOX === undefined ? 'busybox-static is not installed' : undefined;

/** A context whose Dockerfile begins with a shell and nothing else; `lines` follow. */
export function shellContext(
  folder: string,
  lines: readonly string[],
  files: Readonly<Record<string, string>> = {},
): string {
  folderWith(folder, {
    Dockerfile: `FROM scratch\nCOPY busybox /bin/sh\nENV PATH=/bin\n${lines.join('\n')}\n`,
    ...files,
  });
  if (BUSYBOX !== undefined) copyFileSync(BUSYBOX, join(folder, 'busybox'));
  return folder;
}
