import type { Platform } from '../../../blob/index.ts';
import { normalizePlatform } from '../../../image/index.ts';
import { PlatformSchema, type Platform as WirePlatform } from '../../gen/buildkit/ops_pb.ts';
import { create } from '../../grpc/index.ts';

export function toWirePlatform(platform: Platform): WirePlatform {
  return create(PlatformSchema, {
    OS: platform.os,
    Architecture: platform.architecture,
    Variant: platform.variant ?? '',
    OSVersion: platform['os.version'] ?? '',
    OSFeatures: [...(platform['os.features'] ?? [])],
  });
}

/** Normalised; `fallback` has what is not said. */
export function fromWirePlatform(wire: WirePlatform, fallback?: Platform): Platform {
  return normalizePlatform({
    os: wire.OS || (fallback?.os ?? ''),
    architecture: wire.Architecture || (fallback?.architecture ?? ''),
    variant: wire.Variant || undefined,
    'os.version': wire.OSVersion || undefined,
    'os.features': wire.OSFeatures.length > 0 ? wire.OSFeatures : undefined,
  });
}
