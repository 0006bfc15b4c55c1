import { encodeToml } from '../../../base/index.ts';
import { requirementTable } from './plan.ts';
import { TomlTable } from './toml-table.ts';
import type { BomEntry } from './types.ts';

/** report.toml: what an export or a rebase made. */
export interface Report {
  readonly tags: readonly string[];
  /** Of an image in a registry: digest of its manifest, and that one's size in bytes. */
  readonly digest?: string | undefined;
  readonly manifestSize?: number | undefined;
  /** Of an image in a daemon. */
  readonly imageId?: string | undefined;
  /** With a Platform API below 0.9. */
  readonly bom?: readonly BomEntry[] | undefined;
}

/** report.toml (platform.md). */
export function encodeReport(report: Report): string {
  return encodeToml({
    build:
      report.bom && report.bom.length > 0
        ? { bom: report.bom.map((entry) => ({ ...requirementTable(entry), buildpack: entry.buildpack })) }
        : undefined,
    image: {
      tags: report.tags,
      'image-id': report.imageId,
      digest: report.digest,
      'manifest-size': report.manifestSize,
    },
  });
}

export function parseReport(text: string, file: string): Report {
  const image = TomlTable.parse(text, file).table('image');
  return {
    tags: image.list('tags'),
    digest: image.text('digest'),
    manifestSize: image.number('manifest-size'),
    imageId: image.text('image-id'),
  };
}
