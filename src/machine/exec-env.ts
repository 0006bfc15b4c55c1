import type { ImageConfig } from '../image/index.ts';

/**
 * An image that buildpacks have made for another execution environment than production says which by a label (lifecycle 0.21), and its launcher asks CNB_EXEC_ENV which processes it may run: the platform has to say it (platform.md, Launch
 * Environment). An image that sets it itself, and any other, comes back as it is.
 */
export function withExecEnv(image: ImageConfig): ImageConfig {
  const { config = {} } = image;
  const name = config.Labels?.['io.buildpacks.exec-env'];
  if (name === undefined || name === 'production' || !/^[\w.-]+$/.test(name)) return image;
  if (config.Env?.some((line) => line.startsWith('CNB_EXEC_ENV='))) return image;
  return { ...image, config: { ...config, Env: [...(config.Env ?? []), `CNB_EXEC_ENV=${name}`] } };
}
