import { userInfo } from 'node:os';

/** Who runs this process. A container may run as an id that no file knows: then there is no name. */
export function currentUser(): { readonly name?: string | undefined; readonly uid: number; readonly gid: number } {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  try {
    return { name: userInfo().username, uid, gid };
  } catch {
    return { uid, gid };
  }
}
