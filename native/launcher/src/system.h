/* What the launcher asks of the kernel. There is no libc below it: the same bytes come of any compiler that makes the same code, and nothing of a run image's libraries is used. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  E_PERMISSION = 1,
  E_NOT_FOUND = 2,
  E_INTERRUPTED = 4,
  E_BAD_FILE = 9,
  E_ACCESS = 13,
  E_NO_FOLDER = 20,
  E_IS_FOLDER = 21,
  E_INVALID = 22,
  E_TOO_LARGE = 27,
};

/* Kinds of files, as in st_mode. */
enum { KIND_MASK = 0170000, KIND_FOLDER = 0040000, KIND_FILE = 0100000, KIND_LINK = 0120000 };

/* Each gives a value of 0 or more, or the negative of an error number. */
long sys_read(int file, void *to, size_t size);
long sys_write(int file, const void *from, size_t size);
long sys_open(const char *path);
long sys_open_folder(const char *path);
long sys_open_null(void);
long sys_close(int file);
long sys_list(int folder, void *to, size_t size);
/* The st_mode of a path, of the link itself where `follow` is false. */
long sys_mode(const char *path, bool follow);
long sys_may_execute(const char *path);
long sys_change_folder(const char *path);
long sys_current_folder(char *to, size_t size);
/* Both ends close on execve. */
long sys_pipe(int ends[2]);
/* A copy of `file` as number `number`, which stays open over execve. */
long sys_copy_to(int file, int number);
/* A copy with a number of at least `least`, which closes on execve. */
long sys_copy_above(int file, int least);
bool sys_is_open(int file);
long sys_fork(void);
long sys_wait(int process, int *status);
long sys_execute(const char *path, char *const arguments[], char *const environment[]);
/* The first process of a container gets only signals that it handles: ends on those that ask it to, as any other process would. */
void sys_end_on_signals(void);
void *sys_memory(size_t size);
_Noreturn void sys_exit(int code);

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

/* The program: its exit code. */
int launcher(int count, char **arguments, char **environment);

#endif
