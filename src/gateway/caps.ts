import { create } from '../wire/grpc/index.ts';
import { APICapSchema, type APICap } from '../wire/gen/buildkit/caps_pb.ts';

/** What of the gateway's calls is really here (frontend/gateway/pb/caps.go). */
const FRONTEND =
  'solve.base solve.inlinereturn resolveimage resolveimage.resolvemode readfile return returnmap readdir statfile importcaches proto.refarray reference.output frontend.inputs gateway.solve.metadata frontend.caps gateway.solve.evaluate gateway.evaluate gateway.warnings gateway.exec gateway.exec.extrahosts gateway.exec.secretenv gateway.exec.signals gateway.exec.filesystem reference.attestations source.metaresolver'.split(
    ' ',
  );

/** What of the graph, the exporters and the caches (solver/pb/caps.go). */
const GRAPH = [
  'source.image source.image.resolvemode source.image.checksum source.local source.local.sessionid source.local.includepatterns source.local.followpaths source.local.excludepatterns source.local.sharedkeyhint source.local.unique',
  'source.git source.git.keepgitdir source.git.fullurl source.git.httpauth source.git.knownsshhosts source.git.mountsshsock source.git.subdir source.git.checksum source.git.skipsubmodules source.git.mtime source.git.fetchbycommit',
  'source.http source.http.checksum source.http.perm source.ocilayout',
  'exec.meta.base exec.meta.cgroup.parent exec.meta.linux.resources exec.meta.network exec.meta.proxyenv exec.meta.security exec.meta.setsdefaultpath exec.meta.ulimit exec.meta.removemountstubs.recursive exec.cgroup exec.secretenv exec.validexitcode',
  'exec.mount.bind exec.mount.bind.readwrite-nooutput exec.mount.cache exec.mount.cache.sharing exec.mount.secret exec.mount.selector exec.mount.ssh exec.mount.tmpfs exec.mount.tmpfs.size',
  'file.base file.rm.wildcard file.rm.nofollowsymlink file.copy.includeexcludepatterns file.copy.alwaysreplaceexistingdestpaths file.copy.modestring file.symlink.create',
  'constraints platform meta.ignorecache meta.description meta.exportcache mergeop diffop',
  'exporter.image.annotations exporter.image.attestations exporter.multiple exporter.sourcedateepoch history.filter gc.freespacefilter',
].flatMap((line) => line.split(' '));

const capsOf = (ids: readonly string[]): APICap[] => ids.map((ID) => create(APICapSchema, { ID, Enabled: true }));

export const frontendCaps = (): APICap[] => capsOf(FRONTEND);
export const graphCaps = (): APICap[] => capsOf(GRAPH);
