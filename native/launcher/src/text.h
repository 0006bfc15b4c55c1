/* Memory that is never given back (the launcher lives until execve), texts, and the ways a launch ends early. */
#ifndef TEXT_H
#define TEXT_H

#include "system.h"

/* Bytes, of which any may be zero. */
typedef struct {
  const char *at;
  size_t size;
} Text;

/* Bytes that grow. `at` ends with a zero that `size` does not count. */
typedef struct {
  char *at;
  size_t size, room;
} Buffer;

/* Of zeros. */
void *grab(size_t size);
void add_bytes(Buffer *to, const char *from, size_t size);
void add(Buffer *to, const char *text);
void add_number(Buffer *to, unsigned long number);

bool same(const char *a, const char *b);
bool same_text(Text text, const char *with);
int compare(const char *a, const char *b);
bool starts_with(const char *text, const char *with);
char *copy_of(const char *text, size_t size);

/* The texts up to NULL, one after the other. */
char *join_all(const char *const parts[]);
#define JOIN(...) join_all((const char *const[]){__VA_ARGS__, NULL})

/* The value that is kept for a key of an owner: a place that is NULL at first. */
void **indexed(const void *owner, const char *key, size_t size);

/* Exit codes: the platform specification, launcher, outputs; 82 is what the lifecycle calls a launch error. */
enum { CODE_PLATFORM_API = 11, CODE_BUILDPACK_API = 12, CODE_LAUNCH = 82 };

/* Ends with "ERROR: failed to " and the texts. */
_Noreturn void fail_all(int code, const char *const parts[]);
#define FAIL(code, ...) fail_all(code, (const char *const[]){__VA_ARGS__, NULL})
void warn_all(const char *const parts[]);
#define WARN(...) warn_all((const char *const[]){__VA_ARGS__, NULL})

/* The words for what a system call gave, below zero or above. */
const char *error_text(long error);

#endif
