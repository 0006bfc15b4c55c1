import { searchRegistry } from '../../../frontend/buildpack/index.ts';
import { jsonText, tableText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { openIndex, registriesOf } from './registries.ts';
import { readUserConfig } from './user-config.ts';

/** `strake buildpack search`. */
export async function searchModules(
  text: string,
  flags: { readonly buildpackRegistry?: string; readonly format: 'table' | 'json' },
  c: CliContext,
): Promise<void> {
  const [registry] = registriesOf(readUserConfig(c.io), flags.buildpackRegistry);
  if (!registry) return;
  const found = await searchRegistry(await openIndex(registry, c), text, { signal: c.signal });
  if (flags.format === 'json') {
    c.io.stdout.write(
      jsonText(
        found.map(({ namespace, name, version, address }) => ({ id: `${namespace}/${name}`, version, address })),
      ),
    );
    return;
  }
  const rows = found.map(({ namespace, name, version, address }) => [
    `${namespace}/${name}`,
    version,
    address.split('@')[0] ?? '',
  ]);
  c.io.stdout.write(
    tableText([{ title: 'BUILDPACK' }, { title: 'NEWEST' }, { title: 'IMAGE', shrink: c.io.stdout.isTerminal }], rows, {
      style: c.io.outStyle,
      columns: c.io.stdout.size().columns,
    }),
  );
}
