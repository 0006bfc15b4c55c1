/** Tries to open an executor with the mounts of whoever started this process, and prints the code of the error. Argument: a folder of one's own. Run by `rootless.test.ts`. */
import { join } from 'node:path';
import { CodedError, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor } from '../../src/exec/index.ts';

const [folder = ''] = process.argv.slice(2);
try {
  await using executor = await createExecutor({
    stateFolder: join(folder, 'state'),
    random: systemRandom,
    clock: systemClock,
  });
  console.log(`opened ${executor.report.name}`);
} catch (error) {
  if (!(error instanceof CodedError)) throw error;
  console.log(error.code);
}
