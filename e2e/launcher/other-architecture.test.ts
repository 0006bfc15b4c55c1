/** The launcher that is not for this machine, run by qemu: every rule of its suite. Needs Debian's qemu-user. */
import { join } from 'node:path';
import { findTool } from '../../src/base/index.ts';
import { launcherSuite } from '../../native/launcher/launcher.suite.ts';

const [other, tool] = process.arch === 'x64' ? (['arm64', 'qemu-aarch64'] as const) : (['x64', 'qemu-x86_64'] as const);
const qemu = findTool(tool);

launcherSuite(
  `launcher-${other} by ${tool}`,
  {
    binary: join(import.meta.dirname, `../../native/launcher/launcher-${other}`),
    emulator: (argv0) => [qemu ?? tool, '-0', argv0],
  },
  { skip: qemu === undefined ? `needs ${tool}` : false },
);
