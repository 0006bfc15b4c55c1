/** What the comments above say of a name: the line that begins with it. */
export function commentFor(name: string | undefined, comments: readonly string[]): string {
  if (name === undefined || name === '') return '';
  const line = comments.find((comment) => comment.startsWith(`${name} `));
  return line === undefined ? '' : line.slice(name.length + 1);
}
