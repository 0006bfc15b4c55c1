#include "environment.h"

typedef struct {
  const char *name, *value;
} Variable;

static Buffer variables;

static Variable *find(const char *name) {
  /* By their numbers, from one: the buffer moves. */
  void *number = *indexed(&variables, name, strlen(name));
  return number == NULL ? NULL : (Variable *)(void *)variables.at + ((uintptr_t)number - 1);
}

const char *env_get(const char *name) {
  Variable *variable = find(name);
  return variable == NULL ? "" : variable->value;
}

bool env_has(const char *name) { return find(name) != NULL; }

void env_set(const char *name, const char *value) {
  Variable *variable = find(name);
  if (variable != NULL) {
    variable->value = value;
    return;
  }
  Variable one = {name, value};
  add_bytes(&variables, (const char *)&one, sizeof one);
  *indexed(&variables, name, strlen(name)) = (void *)(uintptr_t)(variables.size / sizeof one);
}

/* PATH without the folders that only the launcher is found in. */
static const char *stripped(const char *path) {
  Buffer kept = {0};
  add(&kept, "");
  bool first = true;
  for (const char *end = path;; path = end + 1) {
    for (end = path; *end != '\0' && *end != ':';) end++;
    Text part = {path, (size_t)(end - path)};
    if (!same_text(part, "/cnb/process") && !same_text(part, "/cnb/lifecycle")) {
      if (!first) add(&kept, ":");
      add_bytes(&kept, part.at, part.size);
      first = false;
    }
    if (*end == '\0') return kept.at;
  }
}

void env_start(char *const given[]) {
  static const char *const own[] = {
      "CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PROCESS_TYPE", "CNB_PLATFORM_API", "CNB_DEPRECATION_MODE"};
  for (; *given != NULL; given++) {
    const char *end = *given;
    while (*end != '\0' && *end != '=') end++;
    Text name = {*given, (size_t)(end - *given)};
    bool skip = *end == '\0';
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) skip = skip || same_text(name, own[i]);
    if (!skip) env_set(copy_of(name.at, name.size), end + 1);
  }
  if (env_has("PATH")) env_set("PATH", stripped(env_get("PATH")));
}

char **env_list(void) {
  size_t count = variables.size / sizeof(Variable);
  const Variable *all = (const Variable *)(void *)variables.at;
  char **list = grab((count + 1) * sizeof *list);
  for (size_t i = 0; i < count; i++) list[i] = JOIN(all[i].name, "=", all[i].value);
  return list;
}
