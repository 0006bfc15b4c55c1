import { messageOf, type Wait } from '../base/index.ts';
import type { Attestation, FrontendHost, Ref } from '../frontend/index.ts';
import { AttestationKind, type Attestation as WireAttestation } from '../wire/gen/buildkit/gateway_pb.ts';
import { gatewayError } from './errors.ts';
import type { HeldRefs } from './steering.ts';

/** What a frontend says about an image: each in a file of a tree it names, or in a folder of statements. Throws `SOLVE_INVALID`, `REF_UNKNOWN`, and what reading a tree throws. */
export async function readAttestations(
  attestations: readonly WireAttestation[],
  steering: HeldRefs,
  w: Wait = {},
): Promise<readonly Attestation[]> {
  const read: Attestation[] = [];
  for (const { kind, ref: named, path, inTotoPredicateType } of attestations) {
    if (!named || named.id === '')
      throw gatewayError('SOLVE_INVALID', `read the attestation "${path}": it names no ref`);
    const { ref, host } = await steering.solved(named.id, w);
    if (kind === AttestationKind.Bundle) read.push(...(await readBundle(path, { ref, host, ...w })));
    else read.push({ predicateType: inTotoPredicateType, predicate: await host.read(ref, path, w) });
  }
  return read;
}

/** A folder of in-toto statements. */
async function readBundle(
  folder: string,
  { ref, host, ...w }: { readonly ref: Ref; readonly host: Pick<FrontendHost, 'read' | 'list'> } & Wait,
): Promise<readonly Attestation[]> {
  const read: Attestation[] = [];
  for (const { path, type } of await host.list(ref, folder, w)) {
    if (type !== 'file') continue;
    try {
      const text = Buffer.from(await host.read(ref, `/${path}`, w)).toString();
      const { predicateType, predicate } = JSON.parse(text) as { predicateType?: unknown; predicate?: unknown };
      if (typeof predicateType !== 'string' || predicate === undefined) throw new TypeError('it is no statement');
      read.push({ predicateType, predicate: Buffer.from(JSON.stringify(predicate)) });
    } catch (error) {
      throw gatewayError('SOLVE_INVALID', `read the attestation "${path}": ${messageOf(error)}`, { cause: error });
    }
  }
  return read;
}
