import { Readable } from 'node:stream';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import type { Io } from '../../src/doors/cli/io.ts';
import { styleFor } from '../../src/doors/cli/print/style.ts';
import { runCli } from '../../src/doors/cli/run-cli.ts';
import type { Case } from './case-file.ts';
import { describeArchive } from './describe-image.ts';
import type { Golden } from './golden.ts';
import { argumentsOf, warningsOf, type PlacedCase } from './placed-case.ts';

/** The program, in this process: a store is opened and closed by each command, as if it were one of its own. */
export async function runStrake(
  argv: readonly string[],
  o: { root: string; cwd: string; env?: Readonly<Record<string, string>> | undefined },
): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  const screen = (write: (text: string) => void): Io['stdout'] => ({
    isTerminal: false,
    size: () => ({ columns: 200, rows: 50 }),
    write,
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  });
  const io: Io = {
    env: { PATH: process.env['PATH'], ...o.env },
    cwd: o.cwd,
    home: o.cwd,
    stdin: Readable.from([]),
    stdout: screen((text) => (stdout += text)),
    stderr: screen((text) => (stderr += text)),
    outStyle: styleFor(false),
    errStyle: styleFor(false),
    clock: systemClock,
    random: systemRandom,
  };
  const [command = '', ...rest] = argv;
  const code = await runCli([command, '--root', o.root, ...rest], { io, signal: new AbortController().signal });
  return { code, stdout, stderr };
}

/** Builds a case and says what came of it. */
export async function buildWithStrake(
  one: Case,
  placed: PlacedCase,
  root: string,
): Promise<Golden & { readonly said: string }> {
  const archive = join(placed.folder, 'strake.tar');
  const output = `type=oci,dest=${archive}${one.output === undefined ? '' : `,${one.output}`}`;
  const { code, stderr } = await runStrake(
    ['build', '--progress=rawjson', ...argumentsOf(one, placed, (path) => path), '-o', output, placed.context],
    { root, cwd: placed.folder, env: placed.env },
  );
  const warnings = warningsOf(stderr);
  const told = { ...(warnings.length > 0 ? { warnings } : {}), said: stderr };
  if (code === 0 && existsSync(archive)) return { ...told, ...(await describeArchive(archive, placed.scratch)) };
  const text = /^error: (.*(?:\n(?!help:).*)*)/m.exec(stderr)?.[1] ?? stderr;
  const line = /^\S*?:(\d+)(?::\d+)?: /.exec(text)?.[1];
  return { ...told, error: { text, line: line === undefined ? undefined : Number(line) } };
}
