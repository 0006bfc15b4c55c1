#include "system.h"

#if defined(__x86_64__)
enum {
  NR_READ = 0,
  NR_WRITE = 1,
  NR_CLOSE = 3,
  NR_MMAP = 9,
  NR_SIGACTION = 13,
  NR_GETPID = 39,
  NR_CLONE = 56,
  NR_EXECVE = 59,
  NR_WAIT4 = 61,
  NR_FCNTL = 72,
  NR_GETCWD = 79,
  NR_CHDIR = 80,
  NR_GETDENTS = 217,
  NR_EXIT = 231,
  NR_OPENAT = 257,
  NR_FSTATAT = 262,
  NR_FACCESSAT = 269,
  NR_DUP3 = 292,
  NR_PIPE2 = 293,
  FLAG_FOLDER = 0200000,
  STAT_SIZE = 144,
  STAT_MODE = 24,
};
#elif defined(__aarch64__)
enum {
  NR_READ = 63,
  NR_WRITE = 64,
  NR_CLOSE = 57,
  NR_MMAP = 222,
  NR_SIGACTION = 134,
  NR_GETPID = 172,
  NR_CLONE = 220,
  NR_EXECVE = 221,
  NR_WAIT4 = 260,
  NR_FCNTL = 25,
  NR_GETCWD = 17,
  NR_CHDIR = 49,
  NR_GETDENTS = 61,
  NR_EXIT = 94,
  NR_OPENAT = 56,
  NR_FSTATAT = 79,
  NR_FACCESSAT = 48,
  NR_DUP3 = 24,
  NR_PIPE2 = 59,
  FLAG_FOLDER = 040000,
  STAT_SIZE = 128,
  STAT_MODE = 16,
};
#else
#error "the launcher is made for x86-64 and arm64"
#endif

enum { AT_HERE = -100, AT_NO_FOLLOW = 0x100, FLAG_READ = 0, FLAG_BOTH = 2, FLAG_CLOSE = 02000000, MAY_EXECUTE = 1 };

static long call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

static long again(long number, long a, long b, long c, long d) {
  long result;
  do result = call(number, a, b, c, d, 0, 0);
  while (result == -E_INTERRUPTED);
  return result;
}

long sys_read(int file, void *to, size_t size) { return again(NR_READ, file, (long)to, (long)size, 0); }

long sys_write(int file, const void *from, size_t size) { return again(NR_WRITE, file, (long)from, (long)size, 0); }

long sys_open(const char *path) { return again(NR_OPENAT, AT_HERE, (long)path, FLAG_READ | FLAG_CLOSE, 0); }

long sys_open_folder(const char *path) {
  return again(NR_OPENAT, AT_HERE, (long)path, FLAG_READ | FLAG_CLOSE | FLAG_FOLDER, 0);
}

long sys_open_null(void) { return again(NR_OPENAT, AT_HERE, (long)"/dev/null", FLAG_BOTH, 0); }

long sys_close(int file) { return call(NR_CLOSE, file, 0, 0, 0, 0, 0); }

long sys_list(int folder, void *to, size_t size) { return again(NR_GETDENTS, folder, (long)to, (long)size, 0); }

long sys_mode(const char *path, bool follow) {
  _Alignas(8) char status[STAT_SIZE];
  long result = again(NR_FSTATAT, AT_HERE, (long)path, (long)status, follow ? 0 : AT_NO_FOLLOW);
  uint32_t mode;
  memcpy(&mode, status + STAT_MODE, sizeof mode);
  return result < 0 ? result : (long)mode;
}

long sys_may_execute(const char *path) { return again(NR_FACCESSAT, AT_HERE, (long)path, MAY_EXECUTE, 0); }

long sys_change_folder(const char *path) { return again(NR_CHDIR, (long)path, 0, 0, 0); }

long sys_current_folder(char *to, size_t size) { return again(NR_GETCWD, (long)to, (long)size, 0, 0); }

long sys_pipe(int ends[2]) { return again(NR_PIPE2, (long)ends, FLAG_CLOSE, 0, 0); }

enum { GET_FLAGS = 1, SET_FLAGS = 2, COPY_CLOSING = 1030 };

long sys_copy_to(int file, int number) {
  return file == number ? call(NR_FCNTL, file, SET_FLAGS, 0, 0, 0, 0) : again(NR_DUP3, file, number, 0, 0);
}

long sys_copy_above(int file, int least) { return again(NR_FCNTL, file, COPY_CLOSING, least, 0); }

bool sys_is_open(int file) { return call(NR_FCNTL, file, GET_FLAGS, 0, 0, 0, 0) != -E_BAD_FILE; }

enum { SIGNAL_HANGUP = 1, SIGNAL_INTERRUPT = 2, SIGNAL_QUIT = 3, SIGNAL_TERMINATE = 15, SIGNAL_CHILD = 17 };

long sys_fork(void) { return call(NR_CLONE, SIGNAL_CHILD, 0, 0, 0, 0, 0); }

long sys_wait(int process, int *status) { return again(NR_WAIT4, process, (long)status, 0, 0); }

long sys_execute(const char *path, char *const arguments[], char *const environment[]) {
  return call(NR_EXECVE, (long)path, (long)arguments, (long)environment, 0, 0, 0);
}

static void end_by_signal(int signal) { sys_exit(128 + signal); }

void sys_end_on_signals(void) {
  /* As the kernel takes it on both architectures. The handler does not return, so it needs no way back. */
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(int);
    unsigned long mask;
  } action = {end_by_signal, 0x04000000, end_by_signal, 0}, now;
  static const int signals[] = {SIGNAL_HANGUP, SIGNAL_INTERRUPT, SIGNAL_QUIT, SIGNAL_TERMINATE};
  if (call(NR_GETPID, 0, 0, 0, 0, 0, 0) != 1) return;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    /* What is ignored stays so, for the process too. */
    if (call(NR_SIGACTION, signals[i], 0, (long)&now, sizeof now.mask, 0, 0) == 0 && now.handler == NULL)
      call(NR_SIGACTION, signals[i], (long)&action, 0, sizeof action.mask, 0, 0);
  }
}

void *sys_memory(size_t size) {
  /* Readable and writable; private and anonymous. */
  long at = call(NR_MMAP, 0, (long)size, 3, 0x22, -1, 0);
  return at < 0 && at > -4096 ? NULL : (void *)at;
}

void sys_exit(int code) {
  for (;;) call(NR_EXIT, code, 0, 0, 0, 0, 0);
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  char *out = to;
  const char *in = from;
  while (size-- > 0) *out++ = *in++;
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  char *out = to;
  const char *in = from;
  if (out <= in) return memcpy(to, from, size);
  while (size-- > 0) out[size] = in[size];
  return to;
}

void *memset(void *to, int value, size_t size) {
  char *out = to;
  while (size-- > 0) *out++ = (char)value;
  return to;
}

int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *x = a, *y = b;
  for (; size > 0; size--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char *text) {
  size_t size = 0;
  while (text[size] != '\0') size++;
  return size;
}

/* What -fstack-protector-strong compares with, and calls where it was changed. */
uintptr_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void) {
  static const char message[] = "ERROR: failed to launch: a buffer of the launcher was overrun\n";
  sys_write(2, message, sizeof message - 1);
  sys_exit(82);
}

#if defined(__x86_64__)
__asm__(
    ".globl _start\n.type _start, @function\n_start:\n  xorl %ebp, %ebp\n  movq %rsp, %rdi\n  andq $-16, %rsp\n  call start\n");
#else
__asm__(".globl _start\n.type _start, %function\n_start:\n  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  bl start\n");
#endif

/* The kernel's first stack: count, arguments, environment, and pairs that say, among other things, where 16 random bytes are. */
_Noreturn __attribute__((used, no_stack_protector)) void start(long *stack) {
  enum { PAIR_RANDOM = 25 };
  int count = (int)stack[0];
  char **arguments = (char **)(stack + 1);
  char **environment = arguments + count + 1;
  char **end = environment;
  while (*end != NULL) end++;
  for (uintptr_t *pair = (uintptr_t *)(end + 1); pair[0] != 0; pair += 2)
    if (pair[0] == PAIR_RANDOM) memcpy(&__stack_chk_guard, (void *)pair[1], sizeof __stack_chk_guard);
  sys_exit(launcher(count, arguments, environment));
}
