import type { EntryType } from '../../../tree/index.ts';

const KINDS: Readonly<Partial<Record<EntryType, string>>> = {
  file: 'a file',
  directory: 'a folder',
  symlink: 'a symbolic link',
  fifo: 'a FIFO',
  character: 'a device',
  block: 'a device',
};

/** What an entry is, for messages. */
export function entryKind(type: EntryType): string {
  return KINDS[type] ?? type;
}

/** Why an entry could not be read as a file, for messages. */
export function whyNoFile(type: EntryType): string {
  return type === 'symlink' ? 'it is a symbolic link that leads to no file' : `it is ${entryKind(type)}, not a file`;
}
