import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDockerfile, SourceText } from '../../frontend/dockerfile/index.ts';
import type { DockerfilePlace } from './find-dockerfile.ts';
import type { ExecutorOptions } from './options.ts';

/** `--dryrun`: the stages with their instructions, and where the image would go. Nothing is built or asked. */
export async function tellPlan(
  dockerfile: DockerfilePlace,
  o: { readonly options: ExecutorOptions; readonly write: (text: string) => void },
): Promise<void> {
  const text = readFileSync(join(dockerfile.folder, dockerfile.name), 'utf8');
  const { instructions } = parseDockerfile(new SourceText(dockerfile.name, text));
  const { options } = o;
  for (const { original, name } of instructions)
    o.write(`${name === 'from' || name === 'arg' ? '' : '  '}${original}\n`);
  for (const destination of options.push ? options.destinations : []) o.write(`PUSH ${destination}\n`);
  if (options.tarPath !== undefined) o.write(`SAVE ${options.tarPath}\n`);
  if (options.layoutPath !== undefined) o.write(`SAVE oci:${options.layoutPath}\n`);
}
