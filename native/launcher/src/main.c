/* Starts a process of an image made by buildpacks. Source: the platform specification, launcher, https://github.com/buildpacks/spec/blob/main/platform.md. */
#include "choose.h"
#include "environment.h"
#include "files.h"
#include "start.h"

enum { OLDEST_API = 7, NEWEST_API = 15 };

static const char *given(char *const environment[], const char *name, const char *otherwise) {
  for (; *environment != NULL; environment++)
    if (starts_with(*environment, name) && (*environment)[strlen(name)] == '=' &&
        (*environment)[strlen(name) + 1] != '\0')
      return *environment + strlen(name) + 1;
  return otherwise;
}

static unsigned platform_api(char *const environment[]) {
  const char *version = given(environment, "CNB_PLATFORM_API", ""), *at = version;
  while (*at == ' ' || (*at >= '\t' && *at <= '\r')) at++;
  if (*at == '\0')
    FAIL(CODE_PLATFORM_API,
        "get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version");
  int minor = api_minor(version, OLDEST_API, NEWEST_API);
  if (minor < 0)
    FAIL(CODE_PLATFORM_API, "set platform API: platform API version '", version,
        "' is incompatible with the lifecycle; it knows 0.7 to 0.15");
  return (unsigned)minor;
}

/* Numbers 0 to 2 must not become the pipe of an exec.d program. */
static void keep_standard_files(void) {
  for (int file = 0; file < 3; file++)
    if (!sys_is_open(file)) sys_open_null();
}

int launcher(int count, char **arguments, char **environment) {
  keep_standard_files();
  sys_end_on_signals();
  const char *self = count > 0 ? arguments[0] : "";
  Call call = {.platform = platform_api(environment),
      .exec_env = given(environment, "CNB_EXEC_ENV", "production"),
      .self = self};
  call.arguments = (const char *const *)arguments + (count > 0 ? 1 : 0);
  const char *layers_folder = absolute(given(environment, "CNB_LAYERS_DIR", "/layers"));
  const char *app = absolute(given(environment, "CNB_APP_DIR", "/workspace"));
  Metadata metadata = read_metadata(layers_folder);
  call.metadata = &metadata;
  const char *old = given(environment, "CNB_PROCESS_TYPE", "");
  if (*old != '\0') {
    WARN("CNB_PROCESS_TYPE is not supported in Platform API ", given(environment, "CNB_PLATFORM_API", ""));
    WARN("Run with ENTRYPOINT '", old, "' to invoke the '", old, "' process type");
  }
  Process process = choose_process(&call);
  long error = sys_change_folder(app);
  if (error < 0) FAIL(CODE_LAUNCH, "launch: change to app directory: chdir ", app, ": ", error_text(error));
  env_start(environment);
  Layers layers = {layers_folder, &metadata, process.type};
  apply_layers(&layers);
  run_exec_d(&layers);
  if (process.direct) start_direct(&process, app);
  start_in_shell(&process, &layers, app, self);
}
