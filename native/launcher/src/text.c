#include "text.h"

void *grab(size_t size) {
  enum { CHUNK = 1 << 18 };
  static char *at;
  static size_t left;
  size = (size + 15) & ~(size_t)15;
  if (size > left) {
    size_t chunk = size > CHUNK ? size : CHUNK;
    at = size > (size_t)1 << 40 ? NULL : sys_memory(chunk);
    if (at == NULL) FAIL(CODE_LAUNCH, "launch: not enough memory");
    left = chunk;
  }
  void *result = at;
  at += size;
  left -= size;
  return result;
}

void add_bytes(Buffer *to, const char *from, size_t size) {
  if (to->room - to->size <= size || to->room == 0) {
    size_t room = (to->size + size + 64) * 2;
    char *at = grab(room);
    if (to->size > 0) memcpy(at, to->at, to->size);
    to->at = at;
    to->room = room;
  }
  if (size > 0) memcpy(to->at + to->size, from, size);
  to->size += size;
  to->at[to->size] = '\0';
}

void add(Buffer *to, const char *text) { add_bytes(to, text, strlen(text)); }

void add_number(Buffer *to, unsigned long number) {
  char digits[24];
  size_t at = sizeof digits;
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  add_bytes(to, digits + at, sizeof digits - at);
}

int compare(const char *a, const char *b) {
  for (; *a == *b; a++, b++)
    if (*a == '\0') return 0;
  return (unsigned char)*a - (unsigned char)*b;
}

bool same(const char *a, const char *b) { return compare(a, b) == 0; }

bool same_text(Text text, const char *with) {
  return text.size == strlen(with) && memcmp(text.at, with, text.size) == 0;
}

bool starts_with(const char *text, const char *with) {
  for (; *with != '\0'; text++, with++)
    if (*text != *with) return false;
  return true;
}

char *copy_of(const char *text, size_t size) {
  char *copy = grab(size + 1);
  if (size > 0) memcpy(copy, text, size);
  return copy;
}

char *join_all(const char *const parts[]) {
  Buffer all = {0};
  add(&all, "");
  for (; *parts != NULL; parts++) add(&all, *parts);
  return all.at;
}

typedef struct Kept Kept;
struct Kept {
  const void *owner;
  const char *key;
  size_t size;
  uint64_t hash;
  void *value;
  Kept *next;
};

void **indexed(const void *owner, const char *key, size_t size) {
  static Kept **table;
  static size_t rows, count;
  uint64_t hash = (uint64_t)(uintptr_t)owner * 0x9e3779b97f4a7c15;
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3;
  hash ^= hash >> 29;
  if (count >= rows) {
    size_t grown = rows == 0 ? 256 : rows * 4;
    Kept **fresh = grab(grown * sizeof *fresh);
    for (size_t row = 0; row < rows; row++)
      for (Kept *kept = table[row], *next; kept != NULL; kept = next) {
        next = kept->next;
        kept->next = fresh[kept->hash % grown];
        fresh[kept->hash % grown] = kept;
      }
    table = fresh;
    rows = grown;
  }
  Kept **row = &table[hash % rows];
  for (Kept *kept = *row; kept != NULL; kept = kept->next)
    if (kept->hash == hash && kept->owner == owner && kept->size == size && memcmp(kept->key, key, size) == 0)
      return &kept->value;
  Kept *kept = grab(sizeof *kept);
  *kept = (Kept){owner, copy_of(key, size), size, hash, NULL, *row};
  *row = kept;
  count++;
  return &kept->value;
}

/* On standard error: the output belongs to the process. */
static void say(const char *first, const char *const parts[]) {
  Buffer line = {0};
  add(&line, first);
  for (; *parts != NULL; parts++) add(&line, *parts);
  add(&line, "\n");
  for (size_t at = 0; at < line.size;) {
    long done = sys_write(2, line.at + at, line.size - at);
    if (done <= 0) return;
    at += (size_t)done;
  }
}

void fail_all(int code, const char *const parts[]) {
  say("ERROR: failed to ", parts);
  sys_exit(code);
}

void warn_all(const char *const parts[]) { say("Warning: ", parts); }

const char *error_text(long error) {
  static const struct {
    int number;
    const char *text;
  } known[] = {
      {1, "operation not permitted"},
      {2, "no such file or directory"},
      {5, "input/output error"},
      {7, "argument list too long"},
      {8, "exec format error"},
      {11, "resource temporarily unavailable"},
      {12, "cannot allocate memory"},
      {13, "permission denied"},
      {20, "not a directory"},
      {21, "is a directory"},
      {22, "invalid argument"},
      {23, "too many open files in system"},
      {24, "too many open files"},
      {26, "text file busy"},
      {27, "file too large"},
      {36, "file name too long"},
      {40, "too many levels of symbolic links"},
  };
  if (error < 0) error = -error;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].number == error) return known[i].text;
  Buffer text = {0};
  add(&text, "error ");
  add_number(&text, (unsigned long)error);
  return text.at;
}
