#include "start.h"

#include "environment.h"
#include "files.h"

static bool has_slash(const char *text) {
  for (; *text != '\0'; text++)
    if (*text == '/') return true;
  return false;
}

/* 0 where a path is a program, else the negative of an error number. */
static long check_program(const char *path) {
  long mode = sys_mode(path, true);
  if (mode < 0) return mode;
  if ((mode & KIND_MASK) == KIND_FOLDER) return -E_IS_FOLDER;
  return sys_may_execute(path);
}

_Noreturn static void not_found(const char *name, const char *why) {
  FAIL(CODE_LAUNCH, "launch: path lookup: exec: \"", name, "\": ", why);
}

static const char *find_program(const char *name) {
  if (has_slash(name)) {
    long error = check_program(name);
    if (error < 0) not_found(name, error_text(error));
    return name;
  }
  const char *path = env_get("PATH");
  for (const char *end = path; *path != '\0' || *end == ':'; path = *end == ':' ? end + 1 : end) {
    for (end = path; *end != '\0' && *end != ':';) end++;
    const char *folder = copy_of(path, (size_t)(end - path));
    const char *program = path_in(*folder == '\0' ? "." : folder, name);
    if (check_program(program) >= 0) {
      /* Found where a stranger's file may lie. */
      if (*program != '/') not_found(name, "cannot run executable found relative to current directory");
      return program;
    }
    if (*end == '\0') break;
  }
  not_found(name, "executable file not found in $PATH");
}

static char **list_of(const char *const first[], const char *const second[]) {
  size_t a = count_of(first), b = count_of(second);
  char **all = grab((a + b + 1) * sizeof *all);
  for (size_t i = 0; i < a; i++) all[i] = copy_of(first[i], strlen(first[i]));
  for (size_t i = 0; i < b; i++) all[a + i] = copy_of(second[i], strlen(second[i]));
  return all;
}

void start_direct(const Process *process, const char *app) {
  if (process->command[0] == NULL)
    FAIL(CODE_LAUNCH, "launch: no command provided for process type \"", process->type, "\"");
  const char *program = find_program(process->command[0]);
  const char *folder = *process->folder == '\0' ? app : process->folder;
  long error = sys_change_folder(folder);
  if (error < 0) FAIL(CODE_LAUNCH, "launch: change directory: chdir ", folder, ": ", error_text(error));
  error = sys_execute(program, list_of(process->command, process->args), env_list());
  FAIL(CODE_LAUNCH, "launch: direct exec: ", program, ": ", error_text(error));
}

/* In double quotes, as bash reads it back. */
static void add_quoted(Buffer *to, const char *text) {
  add(to, "\"");
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '$' || *text == '`' || *text == '\\') add(to, "\\");
    add_bytes(to, text, 1);
  }
  add(to, "\"\n");
}

static bool is_file(const char *path) {
  long mode = sys_mode(path, true);
  if (mode < 0 && mode != -E_NOT_FOUND) FAIL(CODE_LAUNCH, "launch: find profiles: ", path, ": ", error_text(mode));
  return mode >= 0 && (mode & KIND_MASK) != KIND_FOLDER;
}

void start_in_shell(const Process *process, const Layers *layers, const char *app, const char *self) {
  size_t count = count_of(process->args);
  Buffer script = {0};
  add(&script, "");
  for (const char **profile = profiles_of(layers); *profile != NULL; profile++) {
    add(&script, "source ");
    add_quoted(&script, *profile);
  }
  const char *own = path_in(app, ".profile");
  if (is_file(own)) {
    add(&script, "source ");
    add_quoted(&script, own);
  }
  if (count > 0 && *process->buildpack != '\0' && buildpack_of(layers->metadata, process) == NULL)
    FAIL(CODE_LAUNCH, "launch: process type '", process->type, "' provided by unknown buildpack '", process->buildpack,
        "'");
  add(&script, "cd ");
  add_quoted(&script, *process->folder == '\0' ? app : process->folder);
  if (count == 0) {
    /* The command is a script of its own. */
    add(&script, "exec bash -c \"$@\"");
  } else {
    /* The command and each argument is evaluated by itself, and is one word after that. */
    add(&script, "exec bash -c '\"$(eval echo \\\"$0\\\")\"");
    for (size_t i = 1; i <= count; i++) {
      add(&script, " \"$(eval echo \\\"${");
      add_number(&script, i);
      add(&script, "}\\\")\"");
    }
    add(&script, "' \"${@:1}\"");
  }
  Buffer command = {0};
  add(&command, "");
  for (const char **part = process->command; *part != NULL; part++) {
    if (part != process->command) add(&command, " ");
    add(&command, *part);
  }
  const char *const head[] = {"bash", "-c", script.at, self, command.at, NULL};
  long error = sys_execute("/bin/bash", list_of(head, process->args), env_list());
  FAIL(CODE_LAUNCH, "launch: bash exec: /bin/bash: ", error_text(error),
      error == -E_NOT_FOUND ? "; with \"--\" before it a command is started without a shell" : "");
}
