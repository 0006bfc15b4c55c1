import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Copies programs of this machine, with all they need, to a folder that can be mounted into a root: started by `LOADER --library-path FOLDER/lib FOLDER/NAME`. Gives the loader's name in `lib`. */
export function hostTools(folder: string, names: readonly string[]): string {
  const lib = join(folder, 'lib');
  mkdirSync(lib, { recursive: true });
  let loader = '';
  for (const name of names) {
    const program = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    copyFileSync(realpathSync(program), join(folder, name));
    for (const [, path = ''] of execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(
      /(?:^|=>)\s*(\/\S+) \(/gm,
    )) {
      copyFileSync(realpathSync(path), join(lib, basename(path)));
      if (basename(path).startsWith('ld-')) loader = basename(path);
    }
  }
  return loader;
}
