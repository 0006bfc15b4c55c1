import type { Wait } from '../base/index.ts';
import type { Platform } from '../blob/index.ts';
import { tryArchitecture, type Execution } from '../exec/index.ts';
import { formatPlatform, hostPlatform } from '../image/index.ts';
import { workerError } from './errors.ts';

/** Whether this machine executes programs of a platform: natively, or by an emulator that its kernel was told of (binfmt_misc). */
export class PlatformCheck {
  readonly #folder: string;
  readonly #tried = new Map<string, Promise<Execution>>();

  /** `scratch`: where programs can be written to try them. */
  constructor(o: { scratch: string }) {
    this.#folder = o.scratch;
  }

  /** Throws `STEP_PLATFORM` for a step that could not even start. */
  async check(platform: Platform, w: Wait = {}): Promise<void> {
    const host = hostPlatform(process);
    const { architecture } = platform;
    if (platform.os === host.os && architecture === host.architecture) return;
    const what = `run a step for ${formatPlatform(platform)}`;
    if (platform.os !== host.os)
      throw workerError('STEP_PLATFORM', `${what}: this is a ${host.os} machine`, {
        remedy: `Build for ${host.os}, or do without RUN: COPY and the settings of an image work for every platform.`,
      });
    const tried = this.#tried.get(architecture) ?? tryArchitecture(architecture, { folder: this.#folder, ...w });
    this.#tried.set(architecture, tried);
    tried.catch(() => this.#tried.delete(architecture));
    const outcome = await tried;
    if (outcome.works) return;
    const machine = `this ${formatPlatform(host)} machine`;
    if (outcome.reason === 'detached')
      throw workerError('STEP_PLATFORM', `${what}: the emulator of ${machine} is not found inside an image`, {
        remedy:
          'Register it in binfmt_misc with the flag F, as packages qemu-user-static and "docker run --privileged tonistiigi/binfmt --install all" do.',
      });
    throw workerError(
      'STEP_PLATFORM',
      `${what}: ${machine} cannot execute its programs, and has no emulator for them`,
      {
        remedy: `Install one, as root: package qemu-user-static (with binfmt-support or systemd), or "docker run --privileged tonistiigi/binfmt --install ${architecture}". Or build on a machine of that platform.`,
      },
    );
  }
}
