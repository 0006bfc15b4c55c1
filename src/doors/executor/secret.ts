import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../../base/index.ts';
import { executorError } from './errors.ts';
import type { Surroundings } from './options.ts';
import { bad } from './values.ts';

/** A secret and where it comes from. */
export interface Secret {
  readonly id: string;
  readonly source: { readonly file: string } | { readonly env: string };
}

/** `id=ID[,src=FILE|,env=NAME][,type=file|env]`, by kaniko's rules (pkg/config/options.go); what is named must be there. Throws `FLAG_INVALID` and `SECRET_MISSING`. */
export function secretOf(text: string, o: Surroundings): Secret {
  const given: { id?: string; type?: string; src?: string; env?: string } = {};
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals < 0) throw bad('--secret', part, 'invalid secret format');
    const [key, value] = [part.slice(0, equals), part.slice(equals + 1)];
    if (key === 'id' || key === 'env') given[key] = value;
    else if (key === 'src' || key === 'source') given.src = value;
    else if (key !== 'type') throw bad('--secret', text, `unknown key "${key}"`);
    else if (value !== 'file' && value !== 'env')
      throw bad('--secret', text, `invalid type "${value}", use file or env`);
    else given.type = value;
  }
  const { id, type } = given;
  let { src, env } = given;
  if (id === undefined || id === '') throw bad('--secret', text, 'secret requires id=ID');
  if (src !== undefined && env !== undefined) throw bad('--secret', text, 'only one of src or env may be specified');
  if (type === 'file' && env !== undefined)
    throw bad('--secret', text, 'env cannot be specified for file type secrets');
  if (type === 'env') [env, src] = [env ?? src ?? id, undefined];
  if (src === undefined && env === undefined) {
    if (type === undefined && o.env[id] !== undefined) env = id;
    else src = id;
  }
  if (env !== undefined) {
    if (o.env[env] === undefined)
      throw executorError('SECRET_MISSING', `read secret "${id}" from environment variable "${env}": it is not set`);
    return { id, source: { env } };
  }
  const file = resolve(o.cwd, src ?? id);
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw executorError('SECRET_MISSING', `read secret "${id}" from "${file}": ${messageOf(error)}`, { cause: error });
  }
  return { id, source: { file } };
}
