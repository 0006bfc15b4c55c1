import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasErrno, makeFolder, reasonOf } from '../../../base/index.ts';
import type { Report } from '../../../frontend/buildpack/index.ts';
import { cliError } from '../errors.ts';

/** report.toml (platform.md) of an image that was made, in a folder. */
export async function writeReport(folder: string, o: { readonly report: Report; readonly cwd: string }): Promise<void> {
  const { encodeReport } = await import('../../../frontend/buildpack/index.ts');
  const text = encodeReport(o.report);
  try {
    const at = resolve(o.cwd, folder);
    makeFolder(at);
    writeFileSync(join(at, 'report.toml'), text);
  } catch (error) {
    const denied = hasErrno(error, 'EACCES', 'EPERM', 'EROFS');
    throw cliError(
      denied ? 'OUTPUT_DENIED' : 'OUTPUT_INVALID',
      `write report.toml into "${folder}": ${reasonOf(error)}`,
      { cause: error, remedy: 'Name a folder that this user may write to. The image has been made.' },
    );
  }
}
