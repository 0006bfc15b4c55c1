#include "files.h"

const char *path_in(const char *folder, const char *name) {
  size_t size = strlen(folder);
  return JOIN(folder, size > 0 && folder[size - 1] == '/' ? "" : "/", name);
}

const char *absolute(const char *path) {
  enum { ROOM = 4096 };
  if (*path == '/') return path;
  char *here = grab(ROOM);
  long size = sys_current_folder(here, ROOM);
  if (size < 0) FAIL(CODE_LAUNCH, "launch: find the current folder: ", error_text(size));
  return path_in(here, path);
}

/* Heap sort: the same work for any order. */
static void sift(Entry *at, size_t from, size_t count) {
  for (size_t next; (next = 2 * from + 1) < count; from = next) {
    if (next + 1 < count && compare(at[next].name, at[next + 1].name) < 0) next++;
    if (compare(at[from].name, at[next].name) >= 0) return;
    Entry one = at[from];
    at[from] = at[next];
    at[next] = one;
  }
}

static void sort(Entry *at, size_t count) {
  for (size_t i = count / 2; i > 0; i--) sift(at, i - 1, count);
  for (size_t i = count; i > 1; i--) {
    Entry one = at[0];
    at[0] = at[i - 1];
    at[i - 1] = one;
    sift(at, 0, i - 1);
  }
}

/* As the kernel writes it: inode, offset, size of the record, kind, name. */
enum { RECORD_SIZE = 16, RECORD_KIND = 18, RECORD_NAME = 19, RECORD_UNKNOWN = 0, RECORD_FOLDER = 4 };

Listing list_folder(const char *path, const char *action) {
  enum { ROOM = 1 << 15 };
  static _Alignas(8) char records[ROOM];
  Buffer entries = {0};
  long folder = sys_open_folder(path);
  if (folder == -E_NOT_FOUND || folder == -E_NO_FOLDER) return (Listing){0};
  if (folder < 0) FAIL(CODE_LAUNCH, action, ": list \"", path, "\": ", error_text(folder));
  for (;;) {
    long size = sys_list((int)folder, records, ROOM);
    if (size < 0) FAIL(CODE_LAUNCH, action, ": list \"", path, "\": ", error_text(size));
    if (size == 0) break;
    for (long at = 0; at < size;) {
      const char *record = records + at;
      const char *name = record + RECORD_NAME;
      uint16_t step;
      memcpy(&step, record + RECORD_SIZE, sizeof step);
      at += step;
      if (same(name, ".") || same(name, "..")) continue;
      Entry entry = {copy_of(name, strlen(name)), record[RECORD_KIND] == RECORD_FOLDER};
      if (record[RECORD_KIND] == RECORD_UNKNOWN) {
        long mode = sys_mode(path_in(path, entry.name), false);
        entry.folder = mode >= 0 && (mode & KIND_MASK) == KIND_FOLDER;
      }
      add_bytes(&entries, (const char *)&entry, sizeof entry);
    }
  }
  sys_close((int)folder);
  Listing listing = {(Entry *)(void *)entries.at, entries.size / sizeof(Entry)};
  sort(listing.at, listing.count);
  return listing;
}

long read_all(int file, Buffer *to, size_t most) {
  enum { ROOM = 1 << 14 };
  static char bytes[ROOM];
  add(to, "");
  for (;;) {
    long size = sys_read(file, bytes, ROOM);
    if (size <= 0) return size;
    if (to->size + (size_t)size > most) return -E_TOO_LARGE;
    add_bytes(to, bytes, (size_t)size);
  }
}

long read_file(const char *path, Buffer *to, size_t most) {
  long file = sys_open(path);
  if (file < 0) return file;
  long result = read_all((int)file, to, most);
  sys_close((int)file);
  return result;
}
