#include "metadata.h"

#include "files.h"
#include "toml.h"

/* More than any build writes; a guard of the container's memory. */
enum { MOST = 64 << 20 };

enum { OLDEST_API = 7, NEWEST_API = 12 };

int api_minor(const char *version, unsigned from, unsigned to) {
  /* "0.12", "v0.12", "0012.": what the lifecycle reads as a version. */
  unsigned parts[2] = {0, 0};
  const char *at = version;
  if (*at == 'v') at++;
  if (*at < '0' || *at > '9') return -1;
  for (int part = 0; part < 2; part++) {
    for (; *at >= '0' && *at <= '9'; at++)
      if (parts[part] < 1000000) parts[part] = parts[part] * 10 + (unsigned)(*at - '0');
    if (part == 0 && *at == '.') at++;
  }
  return *at == '\0' && parts[0] == 0 && parts[1] >= from && parts[1] <= to ? (int)parts[1] : -1;
}

size_t count_of(const char *const list[]) {
  size_t count = 0;
  while (list[count] != NULL) count++;
  return count;
}

static const TomlSource *source;

static const char *text_of(const TomlNode *node) {
  if (node->kind != TOML_STRING) toml_fail(source, node, "a string was expected");
  if (strlen(node->text.at) != node->text.size)
    toml_fail(source, node, "the string contains a zero byte, which no argument of a process can");
  return node->text.at;
}

static const char *text_member(TomlNode *table, const char *key) {
  const TomlNode *node = toml_member(table, key);
  return node == NULL ? "" : text_of(node);
}

static const char **texts_of(const TomlNode *array) {
  size_t count = 0;
  if (array != NULL && array->kind != TOML_ARRAY) toml_fail(source, array, "an array of strings was expected");
  for (const TomlNode *item = array == NULL ? NULL : array->first; item != NULL; item = item->next) count++;
  const char **texts = grab((count + 1) * sizeof *texts);
  if (array != NULL) {
    const char **to = texts;
    for (const TomlNode *item = array->first; item != NULL; item = item->next) *to++ = text_of(item);
  }
  return texts;
}

/* A text alone is what platforms before 0.10 write. */
static const char **command_of(const TomlNode *node) {
  if (node == NULL || node->kind != TOML_STRING) return texts_of(node);
  const char **texts = grab(2 * sizeof *texts);
  texts[0] = text_of(node);
  return texts;
}

static size_t tables(TomlNode *root, const char *key, TomlNode **first) {
  size_t count = 0;
  TomlNode *array = toml_member(root, key);
  *first = array == NULL ? NULL : array->first;
  if (array != NULL && array->kind != TOML_ARRAY)
    toml_fail(source, array, JOIN("\"", key, "\" is not an array of tables"));
  for (TomlNode *item = *first; item != NULL; item = item->next, count++)
    if (item->kind != TOML_TABLE) toml_fail(source, item, JOIN("\"", key, "\" is not an array of tables"));
  return count;
}

static Process process_of(TomlNode *table) {
  TomlNode *direct = toml_member(table, "direct");
  if (direct != NULL && direct->kind != TOML_BOOLEAN) toml_fail(source, direct, "true or false was expected");
  return (Process){
      .type = text_member(table, "type"),
      .command = command_of(toml_member(table, "command")),
      .args = texts_of(toml_member(table, "args")),
      .exec_env = texts_of(toml_member(table, "exec-env")),
      .direct = direct != NULL && direct->truth,
      .buildpack = text_member(table, "buildpack-id"),
      .folder = text_member(table, "working-dir"),
  };
}

const Buildpack *buildpack_of(const Metadata *metadata, const Process *process) {
  for (size_t i = 0; i < metadata->buildpack_count; i++)
    if (same(metadata->buildpacks[i].id, process->buildpack)) return &metadata->buildpacks[i];
  return NULL;
}

static unsigned known_api(const Buildpack *buildpack) {
  int minor = api_minor(buildpack->api, OLDEST_API, NEWEST_API);
  if (minor >= 0) return (unsigned)minor;
  FAIL(CODE_BUILDPACK_API, "set API for buildpack '", buildpack->id, "': buildpack API version '", buildpack->api,
      "' is incompatible with the lifecycle; it knows 0.7 to 0.12");
}

Metadata read_metadata(const char *layers) {
  const char *path = path_in(layers, "config/metadata.toml");
  static TomlSource own = {.code = CODE_LAUNCH, .action = "read metadata"};
  own.place = JOIN(path, ":");
  source = &own;
  Buffer content = {0};
  long result = read_file(path, &content, MOST);
  if (result < 0) FAIL(CODE_LAUNCH, "read metadata: open ", path, ": ", error_text(result));
  TomlNode *root = toml_read((Text){content.at, content.size}, source), *item;
  Metadata metadata = {0};
  metadata.buildpack_count = tables(root, "buildpacks", &item);
  metadata.buildpacks = grab(metadata.buildpack_count * sizeof *metadata.buildpacks);
  for (Buildpack *to = metadata.buildpacks; item != NULL; item = item->next, to++) {
    to->id = text_member(item, "id");
    to->api = text_member(item, "api");
    if (*to->id == '\0') toml_fail(source, item, "the buildpack has no \"id\"");
    to->minor = known_api(to);
  }
  metadata.process_count = tables(root, "processes", &item);
  metadata.processes = grab(metadata.process_count * sizeof *metadata.processes);
  for (Process *to = metadata.processes; item != NULL; item = item->next) *to++ = process_of(item);
  return metadata;
}
