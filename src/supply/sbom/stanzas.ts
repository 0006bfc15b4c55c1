/** Paragraphs of `Name: value` lines, as dpkg's status and Python's METADATA are; names in lower case, the first of several, values of one line only. An empty line ends one; `first`: only the one before it. */
export function* stanzas(text: string, o: { readonly first?: boolean } = {}): Iterable<ReadonlyMap<string, string>> {
  for (const paragraph of text.replaceAll('\r\n', '\n').split(/\n[ \t]*\n+/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split('\n')) {
      const [, name = '', value = ''] = /^([^\s:#][^:]*):[ \t]*(.*)$/.exec(line) ?? [];
      if (name !== '' && !fields.has(name.toLowerCase())) fields.set(name.toLowerCase(), value.trim());
    }
    if (fields.size > 0) yield fields;
    if (o.first) return;
  }
}

/** Records of `K:value` lines, as apk's database is. */
export function* apkRecords(text: string): Iterable<ReadonlyMap<string, string>> {
  for (const record of text.split('\n\n')) {
    const fields = new Map<string, string>();
    for (const line of record.split('\n'))
      if (line[1] === ':' && !fields.has(line[0] as string)) fields.set(line[0] as string, line.slice(2).trim());
    if (fields.has('P')) yield fields;
  }
}
