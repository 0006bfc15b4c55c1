import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf } from '../base/index.ts';
import { cloudError } from './errors.ts';
import type { Cloud } from './cloud.ts';

export type AwsProfile = Readonly<Record<string, string>>;

/** The shared files of the AWS tools: AWS_CONFIG_FILE or ~/.aws/config, and AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, whose values win. Undefined for a profile that neither has. */
export function awsProfile(cloud: Pick<Cloud, 'env' | 'home'>, name: string): AwsProfile | undefined {
  const { env, home } = cloud;
  const config = sections(env['AWS_CONFIG_FILE'] ?? join(home, '.aws/config'));
  const credentials = sections(env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, '.aws/credentials'));
  const own = config.get(name === 'default' ? 'default' : `profile ${name}`) ?? config.get(`profile ${name}`);
  const keys = credentials.get(name);
  return own || keys ? { ...own, ...keys } : undefined;
}

function sections(path: string): ReadonlyMap<string, AwsProfile> {
  const found = new Map<string, Record<string, string>>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return found;
    throw cloudError('CLOUD_LOGIN_MISSING', `read "${path}": ${messageOf(error)}`, { cause: error });
  }
  let section: Record<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) {
      section = found.get(header.replaceAll(/\s+/g, ' ')) ?? {};
      found.set(header.replaceAll(/\s+/g, ' '), section);
      continue;
    }
    // Indented lines are settings within a setting.
    const match = /^([A-Za-z0-9_.-]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (section && match?.[1] !== undefined)
      section[match[1].toLowerCase()] = (match[2] ?? '').replace(/\s[#;].*$/, '');
  }
  return found;
}
