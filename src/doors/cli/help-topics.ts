import { EXIT_MEANINGS } from './exit-code.ts';

export const TOPICS: readonly string[] = ['exit-codes', 'outputs', 'caches', 'attestations', 'environment'];

/** The text of a topic of `strake help`; undefined for any other word. */
export function topicText(topic: string): string | undefined {
  switch (topic) {
    case 'exit-codes':
      return `How strake ends:\n\n${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}\n`;
    case 'outputs':
      return OUTPUTS;
    case 'caches':
      return CACHES;
    case 'attestations':
      return ATTESTATIONS;
    case 'environment':
      return ENVIRONMENT;
    default:
      return undefined;
  }
}

const OUTPUTS = `Where a build goes: -o, --output TYPE (may be given several times; without it, the local store)

  -o DIR, type=local,dest=DIR          the root file system as a folder
  -o -, type=tar,dest=FILE             the root file system as a tar ("-" is standard output)
  type=oci,dest=FILE                   an OCI image archive
  type=oci,dest=DIR,tar=false          an OCI image layout, as a folder
  type=docker,dest=FILE                a docker archive ("docker load" reads it)
  type=docker, type=docker-daemon      into a running Docker or Podman; socket=PATH names it (--load)
  type=containerd,name=NAME            containerd's image store; address=SOCKET, namespace=k8s.io (default:
                                       "default"), unpack=true makes it ready to run there
  type=image,name=NAME                 the local store; with push=true a registry, too
  type=registry,name=NAME              a registry (--push)
  type=cacheonly                       nowhere: only the cache is filled

Further words, after commas:
  name=NAME                            instead of --tag; several in quotes: '"name=a,b"'
  compression=gzip|zstd|uncompressed   of layers made here, and compression-level=N; force-compression=true for those of a base, too
  push-by-digest=true                  a registry gets no tag, only what the digest names (registry; image with push=true)
  oci-mediatypes=false                 Docker's media types (registry, containerd, oci)
  platform-split=false                 files of several platforms in one folder (local, tar)
  registry.insecure=true               a registry without TLS
  rewrite-timestamp=false              keep times later than SOURCE_DATE_EPOCH
  attestation-prefix=TEXT              before the names of files that say how others were made (local, tar)
  oci-artifact=true                    what is said about an image lies beside it as an OCI artifact
  attestation-inline=true              an index also for what is for images only (oci)
  annotation.KEY=VALUE                 on the manifest; annotation-index.KEY and so on for other places
`;

const CACHES = `Results of steps for builds elsewhere: --cache-to writes them, --cache-from reads them (each may be given several times)

  --cache-to type=registry,ref=NAME        a registry, under a name of its own
  --cache-to type=local,dest=DIR           a folder; tag=NAME for several in one
  --cache-to type=inline                   inside the image, for whoever pushes and then reads it
  --cache-from NAME, type=registry,ref=NAME
                                           such a cache, or an image that has one inside
  --cache-from type=local,src=DIR          a folder; tag=NAME or digest=DIGEST says which cache in it

Among the objects of a cloud, with the same words for both flags; what is not given is looked for where the cloud's own tools look:
  type=s3,bucket=B,region=R                also prefix, name (several with ";"), endpoint_url and use_path_style for other stores,
                                           access_key_id, secret_access_key, session_token, touch_refresh=24h, upload_parallelism=4
  type=azblob,account_url=URL              also account_name, container, prefix, name, secret_access_key
  type=gha                                 in a job of GitHub Actions that was handed ACTIONS_RUNTIME_TOKEN; also scope, url, url_v2,
                                           token, version=1|2

Further words of --cache-to, after commas:
  mode=min|max                             the layers of the image only (min), or those of all steps
  compression=gzip|zstd|uncompressed       and compression-level=N; force-compression=true for what is compressed already
  oci-mediatypes=false                     Docker's media types
  image-manifest=false                     the older form, for registries that take no other
  mounts=true                              also what cache mounts of RUN lines hold
  ignore-error=true                        a cache that cannot be written fails no build
  registry.insecure=true                   a registry without TLS

A cache that cannot be read, or is none of strake's, is left out with a warning. Layers stay where they are until a step has to see them.
`;

const ATTESTATIONS = `What is said about an image, in an index beside it or in files: --provenance, --sbom, --attest (by default nothing)

  --provenance=true                    how it was made, as SLSA provenance
  --provenance=ATTRIBUTES              the same as --attest type=provenance,ATTRIBUTES
  --attest type=provenance,ATTRIBUTES
  --sbom=true, --attest type=sbom      what it holds, as an SPDX document
  --provenance=false, disabled=true    nothing, where a bake file asks for it

Attributes of provenance, after commas:
  mode=max|min                         with arguments and steps (max), or without
  version=v1|v0.2                      of SLSA's predicate
  builder-id=TEXT                      who builds
  reproducible=true                    that the same comes out again
  filename=NAME                        of the file in outputs local and tar; provenance.json by default
  inline-only=true                     in images only
`;

const ENVIRONMENT = `Variables that strake reads:

  STRAKE_ROOT            the store's folder (also --root); else $XDG_DATA_HOME/strake, else ~/.local/share/strake
  SOURCE_DATE_EPOCH      seconds since 1970: no time in the result is later, and the same sources give the same digest
  BUILDKIT_PROGRESS      how progress is shown where --progress does not say
  DOCKER_CONFIG, REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG
                         where logins are kept
  DOCKER_HOST            unix://PATH of the daemon that --load speaks to
  HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE
                         how registries and mirrors are reached
  SSH_AUTH_SOCK          the agent that --ssh default offers
  NO_COLOR, FORCE_COLOR, TERM=dumb, CI
                         colors and drawing on the terminal
`;
