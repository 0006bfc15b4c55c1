import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BuildResult, Engine } from '../../../engine/index.ts';
import { familiarReference, parseReference } from '../../../image/index.ts';
import { writeReport } from '../buildpack/write-report.ts';
import { cliError } from '../errors.ts';
import type { CliContext } from '../command.ts';
import type { BuildFlags, Planned } from './flags.ts';

/** `--report-output-dir` and `--sbom-output-dir`. */
export async function writeAppFiles(
  result: BuildResult,
  flags: BuildFlags,
  o: { readonly engine: Engine; readonly planned: Planned; readonly c: CliContext },
): Promise<void> {
  const { reportOutputDir, sbomOutputDir } = flags;
  if (reportOutputDir !== undefined)
    await writeReport(reportOutputDir, { report: reportOf(result, o.planned), cwd: o.c.io.cwd });
  if (sbomOutputDir !== undefined) await writeSboms(sbomOutputDir, result, o);
}

/** Of an image in a registry its manifest, of any other its ID (platform.md, report.toml). */
export function reportOf(
  { images }: BuildResult,
  { request }: Planned,
): { tags: readonly string[]; digest?: string; manifestSize?: number; imageId?: string } {
  const [image] = images;
  const tags = request.exports.flatMap((each) => ('names' in each ? each.names : []));
  const at = request.exports.findIndex(({ type }) => type === 'registry');
  const manifest = image?.manifests.find((each) => each.export === at)?.descriptor;
  return {
    tags: [...new Set(tags)],
    ...(manifest ? { digest: manifest.digest, manifestSize: manifest.size } : image && { imageId: image.imageId }),
  };
}

/** As pack: what the image has in /layers/sbom becomes the folder; of one that is there already, its folder "sbom". */
async function writeSboms(
  to: string,
  { images }: BuildResult,
  { engine, planned, c }: { readonly engine: Engine; readonly planned: Planned; readonly c: CliContext },
): Promise<void> {
  const { writeSbom } = await import('../buildpack/download-sbom.ts');
  const { exports } = planned.request;
  const [image] = images;
  const pushed = exports.find((each) => each.type === 'registry')?.names[0];
  const location =
    image && exports.some(({ type }) => type === 'store')
      ? `store:${image.imageId}`
      : pushed === undefined
        ? undefined
        : `docker://${pushed}`;
  if (location === undefined)
    throw cliError(
      'SBOM_NONE',
      `write SBOM files into "${to}": the image went neither to the store nor to a registry`,
      {
        remedy: 'Leave out -o, or push it.',
      },
    );
  const folder = resolve(c.io.cwd, to);
  const name = pushed === undefined ? to : familiarReference(parseReference(pushed));
  await writeSbom(location, {
    engine,
    name,
    folder: existsSync(folder) ? join(folder, 'sbom') : folder,
    strip: 2,
    c,
  });
}
