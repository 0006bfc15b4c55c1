import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILDPACKS, type TestStore } from '../lib/store.ts';
import { strake } from '../lib/strake.ts';

export interface PhaseOptions {
  /** Folder in `buildpacks/`. */
  readonly buildpack: string;
  /** Folder of the application. */
  readonly app: string;
  /** Files of `/platform/env`, by name. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `/layers/<id>` of an earlier build, as a cache would bring it. */
  readonly restored?: string | undefined;
  readonly execEnv?: string | undefined;
}

export interface PhaseResult {
  readonly code: number;
  readonly log: string;
  /** What detect wrote. */
  readonly plan: string;
  /** The buildpack's layers folder, as a folder here. */
  readonly layers: string;
  readonly app: string;
  /** A file of the layers folder. */
  read(path: string): string;
}

/** Runs `bin/detect` and `bin/build` in the embedded build image as buildpack.md says, as the user 1000, and takes out what they left. Only what a buildpack sees is here: the lifecycle's own work is not. */
export async function runPhases(store: TestStore, o: PhaseOptions): Promise<PhaseResult> {
  const context = join(store.work, `phases-${o.buildpack}`);
  const out = join(store.work, `out-${o.buildpack}-${serial++}`);
  rmSync(context, { recursive: true, force: true });
  for (const name of ['layers', 'platform/env']) mkdirSync(join(context, name), { recursive: true });
  cpSync(join(BUILDPACKS, o.buildpack), join(context, 'buildpack'), { recursive: true });
  cpSync(o.app, join(context, 'app'), { recursive: true, verbatimSymlinks: true });
  if (o.restored !== undefined)
    cpSync(o.restored, join(context, 'layers'), { recursive: true, verbatimSymlinks: true });
  for (const [name, text] of Object.entries(o.env ?? {})) writeFileSync(join(context, 'platform/env', name), text);
  // Where the base is named.
  cpSync(join(BUILDPACKS, 'strake.toml'), join(context, 'strake.toml'));
  writeFileSync(join(context, 'Dockerfile'), dockerfile(o));
  const done = await strake(
    ['build', '--progress=plain', '--allow=network.host', '-o', `type=local,dest=${out}`, context],
    { root: store.root },
  );
  const plan = join(out, 'plan.toml');
  return {
    code: done.code,
    log: done.stderr,
    plan: existsSync(plan) ? readFileSync(plan, 'utf8') : '',
    layers: join(out, 'layers'),
    app: join(out, 'workspace'),
    read: (path) => readFileSync(join(out, 'layers', path), 'utf8'),
  };
}

let serial = 0;

function dockerfile(o: PhaseOptions): string {
  const folder = `/cnb/buildpacks/strake_${o.buildpack}/0.1.0`;
  const layers = `/layers/strake_${o.buildpack}`;
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const env = Object.keys(o.env ?? {}).map((name) => `export ${name}="$(cat /platform/env/${name})"`);
  return `FROM packages.local/cnb-build AS build
COPY buildpack ${folder}
COPY platform /platform
COPY --chown=1000:1000 app /workspace
COPY --chown=1000:1000 layers ${layers}
RUN mkdir /left /home/cnb && chown 1000:1000 /left /home/cnb
ENV HOME=/home/cnb CNB_BUILDPACK_DIR=${folder} CNB_PLATFORM_DIR=/platform CNB_LAYERS_DIR=${layers} CNB_BUILD_PLAN_PATH=/left/plan.toml CNB_BP_PLAN_PATH=/left/bp.toml \\
    CNB_TARGET_OS=linux CNB_TARGET_ARCH=${arch} CNB_TARGET_DISTRO_NAME=debian CNB_TARGET_DISTRO_VERSION=12 CNB_EXEC_ENV=${o.execEnv ?? 'production'}
USER 1000:1000
WORKDIR /workspace
RUN --network=host <<EOF
set -eu
${env.join('\n')}
: > /left/plan.toml
: > /left/bp.toml
${folder}/bin/detect /platform /left/plan.toml
${folder}/bin/build ${layers} /platform /left/bp.toml
EOF
FROM scratch
COPY --from=build ${layers} /layers
COPY --from=build /workspace /workspace
COPY --from=build /left/plan.toml /plan.toml
`;
}
