import type { Platform } from '../../blob/index.ts';
import { normalizePlatform } from '../../image/index.ts';
import { PlatformSchema, type Platform as WirePlatform } from '../../wire/gen/buildkit/ops_pb.ts';
import { create } from '../../wire/grpc/index.ts';

export function toWirePlatform(platform: Platform): WirePlatform {
  return create(PlatformSchema, {
    OS: platform.os,
    Architecture: platform.architecture,
    Variant: platform.variant ?? '',
    OSVersion: platform['os.version'] ?? '',
    OSFeatures: [...(platform['os.features'] ?? [])],
  });
}

export function fromWirePlatform(platform: WirePlatform): Platform {
  return normalizePlatform({
    os: platform.OS,
    architecture: platform.Architecture,
    variant: platform.Variant || undefined,
    'os.version': platform.OSVersion || undefined,
    'os.features': platform.OSFeatures.length > 0 ? platform.OSFeatures : undefined,
  });
}
