import { kindOf } from '../../base/index.ts';
import type { PhaseContext } from './context.ts';
import type { OpenImage } from './images/images.ts';

/** An image, undefined where there is none. */
export async function findImage(
  name: string,
  c: Pick<PhaseContext, 'images' | 'signal'>,
): Promise<OpenImage | undefined> {
  if (name === '') return undefined;
  try {
    return await c.images.open(name, c);
  } catch (error) {
    if (kindOf(error) === 'not_found') return undefined;
    throw error;
  }
}
