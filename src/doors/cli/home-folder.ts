import { homedir } from 'node:os';

/** This user's home: HOME, else what the user database says; the root where neither knows, as in a container without /etc/passwd. */
export function homeFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const { HOME } = env;
  if (HOME !== undefined && HOME !== '') return HOME;
  try {
    return homedir();
  } catch {
    return '/';
  }
}
