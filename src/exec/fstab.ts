/** A line of fstab(5). */
export interface FstabEntry {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

export function fstab(entries: readonly FstabEntry[]): string {
  return entries
    .map(
      (e) => `${escape(e.source)} ${escape(e.target)} ${e.type} ${e.options.map(escape).join(',') || 'defaults'} 0 0\n`,
    )
    .join('');
}

function escape(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
