/** For tests: a folder with layers and an application, and a launcher that is started over them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How a launcher is started: its file, or what stands before it on the command line when it runs by an emulator. */
export interface LauncherUnderTest {
  readonly binary: string;
  /** Gives the words before the arguments, from the name that the launcher is to be called by. */
  readonly emulator?: ((argv0: string) => readonly string[]) | undefined;
}

export interface LaunchCase {
  /** What the launcher is called by. Default: its own path in an image. */
  readonly argv0?: string | undefined;
  readonly args?: readonly string[] | undefined;
  /** Beside PATH, CNB_LAYERS_DIR, CNB_APP_DIR and CNB_PLATFORM_API; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Platform API. Default 0.15. */
  readonly platform?: string | undefined;
  /** Below the test's folder, as `layers/a_b/one/env/NAME`: content; a program when it starts with `#!`; a folder with a name that ends in `/`; a link when it starts with `-> `. */
  readonly files?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /** metadata.toml. */
  readonly metadata?: string | Uint8Array | undefined;
}

export interface Launched {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the process `show` saw. */
  readonly shown: Shown | undefined;
}

export interface Shown {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Tells its environment, working directory and arguments. */
const SHOW = `#!/bin/sh
cat /proc/$$/environ
printf '\\000%s\\000' "$(pwd -P)"
[ $# -eq 0 ] || printf '%s\\000' "$@"
`;

export class LauncherRig implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'strake-launcher-'));
  readonly #under: LauncherUnderTest;

  constructor(under: LauncherUnderTest) {
    this.#under = under;
  }

  /** Fills the folder anew and launches. `%/` in files, metadata and variables is the folder. */
  launch(o: LaunchCase): Launched {
    const here = (text: string): string => text.replaceAll('%/', `${this.folder}/`);
    rmSync(this.folder, { recursive: true, force: true });
    const files: Record<string, string | Uint8Array> = { 'app/': '', 'layers/': '', 'tools/show': SHOW, ...o.files };
    if (o.metadata !== undefined) files['layers/config/metadata.toml'] = o.metadata;
    for (const [name, content] of Object.entries(files)) this.#write(name, content);
    const env: Record<string, string> = {};
    const wanted: Record<string, string | undefined> = {
      PATH: '%/tools:/usr/bin:/bin',
      CNB_LAYERS_DIR: '%/layers',
      CNB_APP_DIR: '%/app',
      CNB_PLATFORM_API: o.platform ?? '0.15',
      ...o.env,
    };
    for (const [name, value] of Object.entries(wanted)) if (value !== undefined) env[name] = here(value);
    const argv0 = o.argv0 ?? '/cnb/lifecycle/launcher';
    const emulator = this.#under.emulator?.(argv0) ?? [];
    const [program = this.#under.binary, ...before] = emulator;
    const words = emulator.length > 0 ? [...before, this.#under.binary] : [];
    // Something to read, which an exec.d program must not get.
    const input = openSync(join(this.folder, 'tools/show'), 'r');
    const done = spawnSync(program, [...words, ...(o.args ?? [])], {
      argv0: this.#under.emulator ? program : argv0,
      env,
      cwd: this.folder,
      stdio: [input, 'pipe', 'pipe'],
    });
    closeSync(input);
    if (done.error) throw done.error;
    const stdout = done.stdout.toString('latin1');
    const [, environ = '', cwd = '', args = ''] = /^(.*?\0)\0([^\0]*)\0(.*)$/s.exec(stdout) ?? [];
    const plain = (text: string): string => Buffer.from(text, 'latin1').toString().replaceAll(this.folder, '%');
    const list = (text: string): string[] => plain(text).split('\0').slice(0, -1);
    return {
      code: done.status ?? 128,
      stdout: plain(stdout),
      stderr: plain(done.stderr.toString('latin1')),
      shown:
        environ !== ''
          ? {
              args: list(args),
              cwd: plain(cwd),
              env: Object.fromEntries(
                list(environ).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
              ),
            }
          : undefined,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(name: string, content: string | Uint8Array): void {
    const path = join(this.folder, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) return;
    const text = typeof content === 'string' ? content.replaceAll('%/', `${this.folder}/`) : content;
    if (typeof text === 'string' && text.startsWith('-> ')) return symlinkSync(text.slice(3), path);
    writeFileSync(path, text);
    if (typeof text === 'string' && text.startsWith('#!')) chmodSync(path, 0o755);
  }
}

/** metadata.toml of buildpacks, `id` -> API, and processes. */
export function metadataOf(
  buildpacks: Readonly<Record<string, string>>,
  ...processes: readonly Readonly<Record<string, string | boolean | readonly string[]>>[]
): string {
  const lines: string[] = [];
  for (const [id, api] of Object.entries(buildpacks))
    lines.push('[[buildpacks]]', `id = ${JSON.stringify(id)}`, 'version = "1.0.0"', `api = ${JSON.stringify(api)}`);
  for (const process of processes)
    lines.push('[[processes]]', ...Object.entries(process).map(([key, value]) => `${key} = ${JSON.stringify(value)}`));
  return `${lines.join('\n')}\n`;
}
