#include "layers.h"

#include "environment.h"
#include "exec-d.h"
#include "files.h"

/* A value larger than this can be handed to no process. */
enum { LARGEST_VALUE = 16 << 20 };

static const char *const MODIFY = "launch: modify env";

static const char *folder_of(const Layers *layers, const Buildpack *buildpack) {
  char *name = copy_of(buildpack->id, strlen(buildpack->id));
  for (char *at = name; *at != '\0'; at++)
    if (*at == '/') *at = '_';
  return path_in(layers->folder, name);
}

typedef void Visit(const char *path, void *with);

/* Each layer of one buildpack, by name. A link to a folder is no layer. */
static void each_layer(const char *folder, Visit *visit, void *with) {
  Listing listing = list_folder(folder, "launch: find the layers of a buildpack");
  for (size_t i = 0; i < listing.count; i++)
    if (listing.at[i].folder) visit(path_in(folder, listing.at[i].name), with);
}

static bool exists(const char *path, const char *action) {
  long mode = sys_mode(path, true);
  if (mode < 0 && mode != -E_NOT_FOUND) FAIL(CODE_LAUNCH, action, ": ", path, ": ", error_text(mode));
  return mode >= 0;
}

static void add_before(const char *name, const char *value, const char *between) {
  const char *now = env_get(name);
  env_set(name, *now == '\0' ? value : JOIN(value, between, now));
}

static void add_folders(const char *layer, void *with) {
  (void)with;
  static const char *const known[][2] = {{"bin", "PATH"}, {"lib", "LD_LIBRARY_PATH"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    const char *folder = path_in(layer, known[i][0]);
    if (exists(folder, MODIFY)) add_before(known[i][1], folder, ":");
  }
}

static const char *value_in(const char *path, bool needed) {
  Buffer content = {0};
  long result = read_file(path, &content, LARGEST_VALUE);
  if (result < 0 && !needed) return "";
  if (result < 0) FAIL(CODE_LAUNCH, MODIFY, ": read \"", path, "\": ", error_text(result));
  if (strlen(content.at) != content.size)
    FAIL(CODE_LAUNCH, MODIFY, ": \"", path, "\" contains a zero byte, which no variable can");
  return content.at;
}

static void apply_file(const char *folder, const char *file) {
  const char *path = path_in(folder, file), *dot = file;
  while (*dot != '\0' && *dot != '.') dot++;
  const char *name = copy_of(file, (size_t)(dot - file)), *action = *dot == '\0' ? "override" : dot + 1;
  for (const char *at = name; *at != '\0'; at++)
    if (*at == '=') return;
  if (*name == '\0') return;
  long mode = sys_mode(path, true);
  if (mode < 0) FAIL(CODE_LAUNCH, MODIFY, ": ", path, ": ", error_text(mode));
  if ((mode & KIND_MASK) != KIND_FILE) return;
  const char *now = env_get(name), *between = value_in(path_in(folder, JOIN(name, ".delim")), false);
  if (same(action, "override"))
    env_set(name, value_in(path, true));
  else if (same(action, "default") && *now == '\0')
    env_set(name, value_in(path, true));
  else if (same(action, "prepend"))
    add_before(name, value_in(path, true), between);
  else if (same(action, "append"))
    env_set(name, *now == '\0' ? value_in(path, true) : JOIN(now, between, value_in(path, true)));
}

static void apply_env_folder(const char *folder) {
  Listing listing = list_folder(folder, MODIFY);
  for (size_t i = 0; i < listing.count; i++)
    if (!listing.at[i].folder) apply_file(folder, listing.at[i].name);
}

static void apply_env(const char *layer, void *with) {
  const Layers *layers = with;
  const char *launch = path_in(layer, "env.launch");
  apply_env_folder(path_in(layer, "env"));
  apply_env_folder(launch);
  if (*layers->type != '\0') apply_env_folder(path_in(launch, layers->type));
}

void apply_layers(const Layers *layers) {
  Layers all = *layers;
  for (size_t i = 0; i < layers->metadata->buildpack_count; i++) {
    const char *folder = folder_of(layers, &layers->metadata->buildpacks[i]);
    each_layer(folder, add_folders, NULL);
    each_layer(folder, apply_env, &all);
  }
}

typedef struct {
  const Layers *layers;
  const char *name;
  Visit *visit;
  void *with;
} Files;

/* The files of a layer's folder, then those of the type's own folder in it. */
static void visit_files(const char *layer, void *with) {
  const Files *files = with;
  const char *folder = path_in(layer, files->name);
  for (int own = 0; own < (*files->layers->type == '\0' ? 1 : 2); own++) {
    if (own == 1) folder = path_in(folder, files->layers->type);
    Listing listing = list_folder(folder, "launch: find the files of a layer");
    for (size_t i = 0; i < listing.count; i++)
      if (!listing.at[i].folder) files->visit(path_in(folder, listing.at[i].name), files->with);
  }
}

static void each_file(const Layers *layers, const char *name, Visit *visit, void *with) {
  Files files = {layers, name, visit, with};
  for (size_t i = 0; i < layers->metadata->buildpack_count; i++)
    each_layer(folder_of(layers, &layers->metadata->buildpacks[i]), visit_files, &files);
}

static void run_one(const char *path, void *with) {
  (void)with;
  exec_d(path);
}

void run_exec_d(const Layers *layers) { each_file(layers, "exec.d", run_one, NULL); }

static void keep(const char *path, void *with) { add_bytes(with, (const char *)&path, sizeof path); }

const char **profiles_of(const Layers *layers) {
  Buffer paths = {0};
  each_file(layers, "profile.d", keep, &paths);
  keep(NULL, &paths);
  return (const char **)(void *)paths.at;
}
