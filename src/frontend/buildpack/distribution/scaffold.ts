import { buildpackError } from '../errors.ts';
import { encodeModuleDescriptor, idProblem, parseApi, versionProblem } from '../model/index.ts';
import type { ModuleKind, Target } from '../model/types.ts';

/** A file of a module that is begun. */
export interface ScaffoldFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** The files that a new buildpack or extension begins with. Throws `CNB_MODULE_INVALID` for an id, version or API that may not be. */
export function scaffold(o: {
  kind: ModuleKind;
  id: string;
  version: string;
  api: string;
  targets: readonly Target[];
  stacks: readonly string[];
}): readonly ScaffoldFile[] {
  const bad = (detail: string): Error => buildpackError('CNB_MODULE_INVALID', `make ${o.kind} "${o.id}": ${detail}`);
  const wrongId = idProblem(o.id);
  if (wrongId !== undefined) throw bad(`the id "${o.id}" may not be: ${wrongId}`);
  const wrongVersion = versionProblem(o.version);
  if (wrongVersion !== undefined) throw bad(`the version "${o.version}" may not be: ${wrongVersion}`);
  const api = parseApi(o.api);
  if (api === undefined) throw bad(`the API "${o.api}" is no version`);
  const toml = encodeModuleDescriptor({
    kind: o.kind,
    id: o.id,
    version: o.version,
    api,
    keywords: [],
    licenses: [],
    clearEnv: false,
    sbomFormats: [],
    execEnv: [],
    order: [],
    targets: o.kind === 'buildpack' ? o.targets : [],
    stacks: o.stacks.map((id) => ({ id, mixins: [] })),
    metadata: {},
  });
  const program = (name: string, text: string): ScaffoldFile => ({ path: `bin/${name}`, mode: 0o755, text });
  return [
    { path: `${o.kind}.toml`, mode: 0o644, text: toml },
    program('detect', o.kind === 'buildpack' ? DETECT : EXTENSION_DETECT),
    o.kind === 'buildpack' ? program('build', BUILD) : program('generate', GENERATE),
  ];
}

const DETECT = `#!/usr/bin/env bash
set -euo pipefail

# The application is in the working directory. Exit 100 if this buildpack is not for it.
# What it provides and requires goes into "$CNB_BUILD_PLAN_PATH".
exit 0
`;

const BUILD = `#!/usr/bin/env bash
set -euo pipefail

# Layers are folders of "$CNB_LAYERS_DIR", each with a <layer>.toml that says what it is for;
# processes go into "$CNB_LAYERS_DIR/launch.toml".
exit 0
`;

const EXTENSION_DETECT = `#!/usr/bin/env bash
set -euo pipefail

# Exit 100 if this extension is not for the application. What it provides goes into "$CNB_BUILD_PLAN_PATH".
exit 0
`;

const GENERATE = `#!/usr/bin/env bash
set -euo pipefail

# A build.Dockerfile or run.Dockerfile in "$CNB_OUTPUT_DIR" extends the build or the run image.
exit 0
`;
