import type { Platform } from '../../blob/index.ts';
import { parsePlatform } from '../../image/index.ts';
import type { Environment } from './environment.ts';
import type { Expansion } from './expand.ts';
import { quote } from './go-text.ts';
import type { FromInstruction } from './instruction.ts';
import type { Linter } from './lint.ts';

/** RedundantTargetPlatform and FromPlatformFlagConstDisallowed. */
export function lintPlatform(
  from: FromInstruction,
  found: Expansion,
  o: { readonly lint: Linter; readonly globals: Environment; readonly local: Platform },
): void {
  const { matched, unmatched, text } = found;
  if (
    matched.size === 1 &&
    unmatched.size === 0 &&
    matched.has('TARGETPLATFORM') &&
    text === o.globals.get('TARGETPLATFORM')
  )
    o.lint.report(
      'RedundantTargetPlatform',
      from.range,
      `Setting platform to predefined ${from.platform ?? ''} in FROM is redundant as this is the default behavior`,
    );
  if (matched.size > 0 || unmatched.size > 0) return;
  const platform = readable(text, o.local);
  const name = from.alias ?? '';
  if (platform === undefined || name.includes(platform.os) || name.includes(platform.architecture)) return;
  o.lint.report(
    'FromPlatformFlagConstDisallowed',
    from.range,
    `FROM --platform flag should not use constant value ${quote(text)}`,
  );
}

function readable(text: string, local: Platform): Platform | undefined {
  try {
    return parsePlatform(text, local);
  } catch {
    return undefined;
  }
}
