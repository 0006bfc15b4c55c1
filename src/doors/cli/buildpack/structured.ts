import { encodeToml, encodeYaml } from '../../../base/index.ts';
import { jsonText } from '../print/table.ts';
import type { OutputFormat } from './output-option.ts';

/** Plain data in one of the formats that programs read. */
export async function structuredText(
  value: Readonly<Record<string, unknown>>,
  format: Exclude<OutputFormat, 'human-readable'>,
): Promise<string> {
  // Members that say nothing are left out in all of them.
  const plain = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
  if (format === 'yaml') return encodeYaml(plain);
  return format === 'toml' ? encodeToml(plain) : jsonText(plain);
}
