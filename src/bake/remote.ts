/** True for what is not a folder of this machine: a repository or an address of the web (buildx, urlutil.IsRemoteURL). */
export function isRemote(text: string): boolean {
  return (
    /^(?:https?|git|ssh):\/\//.test(text) || /^(?:git@|github\.com\/)/.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)
  );
}
