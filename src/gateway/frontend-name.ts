const OWN = /^(?:(?:index\.)?docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/;

/** strake's own name of a frontend: `dockerfile.v0` and the images of docker/dockerfile are built in, `gateway.v0` runs the image that option `source` names. */
export function frontendName(frontend: string, options: Readonly<Record<string, string>>): string {
  if (frontend !== 'gateway.v0') return frontend.replace(/\.v0$/, '');
  const replaced = Object.keys(options).some((key) => /^context:docker\/dockerfile(?:-upstream)?(?:$|:)/.test(key));
  return OWN.test(options['source'] ?? '') && !replaced && options['gateway-devel'] === undefined
    ? 'dockerfile'
    : 'gateway';
}
