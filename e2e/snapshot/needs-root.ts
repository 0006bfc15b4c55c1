/** Why a test that mounts cannot run here; false when it can. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : 'only root can mount here';
