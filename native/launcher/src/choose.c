#include "choose.h"

static const char *const DETERMINE = "launch: determine start command: ";

/* The platform API that knows execution environments, the one that knows arguments that replace others; the buildpack API that has them, and no shell. */
enum { PLATFORM_EXEC_ENV = 15, PLATFORM_ARGUMENTS = 10, BUILDPACK_ARGUMENTS = 9 };

static bool in_list(const char *const list[], const char *text) {
  for (; *list != NULL; list++)
    if (same(*list, text)) return true;
  return false;
}

static bool eligible(const Call *call, const Process *process) {
  if (call->platform < PLATFORM_EXEC_ENV || process->exec_env[0] == NULL) return true;
  return in_list(process->exec_env, "*") || in_list(process->exec_env, call->exec_env);
}

static const char *last_part(const char *path) {
  const char *last = path;
  for (; *path != '\0'; path++)
    if (*path == '/') last = path + 1;
  return last;
}

static const char **both(const char *const first[], const char *const second[]) {
  size_t a = count_of(first), b = count_of(second);
  const char **all = grab((a + b + 1) * sizeof *all);
  memcpy(all, first, a * sizeof *all);
  memcpy(all + a, second, b * sizeof *all);
  return all;
}

static Process of_user(const Call *call) {
  static const char *none[] = {NULL};
  const char *const *given = call->arguments;
  if (given[0] == NULL) FAIL(CODE_LAUNCH, DETERMINE, "when there is no default process a command is required");
  bool direct = same(given[0], "--");
  if (direct && *++given == NULL) FAIL(CODE_LAUNCH, DETERMINE, "a command is required after \"--\"");
  const char **command = grab(2 * sizeof *command);
  command[0] = given[0];
  return (Process){.type = "",
      .command = command,
      .args = both(given + 1, none),
      .exec_env = none,
      .direct = direct,
      .buildpack = "",
      .folder = ""};
}

static void take_arguments(const Call *call, Process *process) {
  const Buildpack *buildpack = buildpack_of(call->metadata, process);
  bool given = call->arguments[0] != NULL;
  if (call->platform < PLATFORM_ARGUMENTS) {
    process->args = both(process->args, call->arguments);
  } else if (count_of(process->command) > 1) {
    /* The rest of the command is always there; the arguments are only the default ones. */
    process->args = both(process->command + 1, given ? call->arguments : process->args);
    const char **first = grab(2 * sizeof *first);
    first[0] = process->command[0];
    process->command = first;
  } else if (given) {
    if (buildpack == NULL)
      FAIL(CODE_LAUNCH, DETERMINE, "failed to find buildpack for process ", process->type, " with buildpack ID ",
          process->buildpack);
    process->args = buildpack->minor < BUILDPACK_ARGUMENTS ? both(process->args, call->arguments)
                                                           : both(call->arguments, (const char *const[]){NULL});
  }
  /* These buildpacks know no other kind. */
  if (buildpack != NULL && buildpack->minor >= BUILDPACK_ARGUMENTS) process->direct = true;
}

Process choose_process(const Call *call) {
  const char *type = last_part(call->self);
  bool known = false;
  for (size_t i = 0; i < call->metadata->process_count && *type != '\0'; i++) {
    Process process = call->metadata->processes[i];
    if (!same(process.type, type)) continue;
    known = true;
    if (!eligible(call, &process)) continue;
    take_arguments(call, &process);
    return process;
  }
  if (known)
    FAIL(CODE_LAUNCH, DETERMINE, "process type ", type, " was not found: it is not for the execution environment \"",
        call->exec_env, "\"");
  return of_user(call);
}
