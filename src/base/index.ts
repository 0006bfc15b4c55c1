export { bytesError, bytesOf, collect, drain, fileBytes, tap, type Bytes } from './bytes.ts';
export { Channel } from './channel.ts';
export { canonicalJson, type Json } from './canonical-json.ts';
export { systemClock, type Clock, type Random } from './clock.ts';
export { Database, type Row, type SqlValue } from './database.ts';
export { currentUser } from './current-user.ts';
export { editDistance } from './edit-distance.ts';
export {
  CodedError,
  errorTable,
  firstFailure,
  hasCode,
  hasErrno,
  kindOf,
  messageOf,
  reasonOf,
  systemFailure,
  type CodedErrorInit,
  type ErrorDetails,
  type ErrorKind,
  type SourcePlace,
} from './error.ts';
export { Flight } from './flight.ts';
export { goExpand, goRegExp, goReplaceAll, type GoMatch } from './go-regexp.ts';
export {
  HttpClient,
  httpError,
  redactUrl,
  systemBundleFile,
  type HttpOptions,
  type HttpRequest,
  type HttpResponse,
} from './http.ts';
export { looksSecret, withoutSecrets } from './looks-secret.ts';
export { makeFolder } from './make-folder.ts';
export { Lazy } from './lazy.ts';
export { escapeOverlayPath, mountAll, mountError, unmount, type MountSpec } from './mounts.ts';
export { isLoopback, proxyFor, type ProxyEnvironment } from './proxy.ts';
export { isProcessAlive } from './process-alive.ts';
export { systemRandom } from './random.ts';
export { mapBounded, Semaphore } from './semaphore.ts';
export * as sys from './sys/index.ts';
export { tempFolder } from './temp.ts';
export { timeLimited } from './time-limited.ts';
export { holdNames } from './names.ts';
export { encodeToml, parseToml, TomlText } from './toml.ts';
export { encodeYaml, parseYaml } from './yaml.ts';
export { findTool, runTool, toolError, type ToolOptions, type ToolResult } from './tool.ts';
export { cancelled, sleep, throwIfCancelled, unlessCancelled, type Wait } from './wait.ts';
