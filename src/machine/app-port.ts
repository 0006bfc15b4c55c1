import type { ImageConfig } from '../image/index.ts';

const PORT = 8080;

/**
 * An image that buildpacks have made says nothing of ports: by custom its process "web" listens on what PORT says, as on Cloud Run or Heroku. Such an image that exposes nothing is run as if it exposed PORT, 8080 where nobody
 * sets it; any other comes back as it is.
 */
export function withAppPort(image: ImageConfig, env: readonly string[] = []): ImageConfig {
  const { config = {} } = image;
  const isApp = config.Labels?.['io.buildpacks.build.metadata'] !== undefined;
  if (!isApp || config.Entrypoint?.[0] !== '/cnb/process/web' || Object.keys(config.ExposedPorts ?? {}).length > 0)
    return image;
  const set = [...(config.Env ?? []), ...env].findLast((line) => line.startsWith('PORT='))?.slice('PORT='.length);
  const port = set === undefined ? PORT : Number(set);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return image;
  return {
    ...image,
    config: {
      ...config,
      ExposedPorts: { [`${port}/tcp`]: {} },
      Env: set === undefined ? [...(config.Env ?? []), `PORT=${port}`] : config.Env,
    },
  };
}
