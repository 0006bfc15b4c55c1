/* Folders and files, by path. */
#ifndef FILES_H
#define FILES_H

#include "text.h"

typedef struct {
  const char *name;
  /* A folder itself, not a link to one. */
  bool folder;
} Entry;

typedef struct {
  Entry *at;
  size_t count;
} Listing;

const char *path_in(const char *folder, const char *name);
/* Without a relative start; the links in it stay. */
const char *absolute(const char *path);
/* What lies in a folder, sorted by the bytes of the names. Nothing where there is no such folder; ends the launcher with `action` and the trouble where it cannot be read. */
Listing list_folder(const char *path, const char *action);
/* 0, or the negative of an error number. A file of more than `most` bytes is too large. */
long read_all(int file, Buffer *to, size_t most);
long read_file(const char *path, Buffer *to, size_t most);

#endif
