/* capture FOLDER PROGRAM ARGUMENTS…: runs a program and keeps how it ends in FOLDER/status (the exit code in decimal; 128 + n for signal n) and what it writes in FOLDER/output (both streams as they come, at most 4 MiB), handing it on as
   well. Ends with 0; with 125 where it cannot do that, 126 or 127 where the program cannot be run. No libc: see ../launcher. */
typedef unsigned long size_t;

#if defined(__x86_64__)
enum {
  NR_READ = 0,
  NR_WRITE = 1,
  NR_CLOSE = 3,
  NR_CLONE = 56,
  NR_EXECVE = 59,
  NR_WAIT4 = 61,
  NR_EXIT = 231,
  NR_OPENAT = 257,
  NR_PPOLL = 271,
  NR_DUP3 = 292,
  NR_PIPE2 = 293
};
#elif defined(__aarch64__)
enum {
  NR_READ = 63,
  NR_WRITE = 64,
  NR_CLOSE = 57,
  NR_CLONE = 220,
  NR_EXECVE = 221,
  NR_WAIT4 = 260,
  NR_EXIT = 94,
  NR_OPENAT = 56,
  NR_PPOLL = 73,
  NR_DUP3 = 24,
  NR_PIPE2 = 59
};
#else
#error "capture is made for x86-64 and arm64"
#endif

enum {
  HERE = -100,
  WRITE_NEW = 01 | 0100 | 01000 | 02000000,
  CLOSE_ON_EXEC = 02000000,
  CHILD_SIGNAL = 17,
  NO_HANG = 1,
  READABLE = 1,
  INTERRUPTED = 4,
  NOT_FOUND = 2,
  DENIED = 13,
  NOT_A_FOLDER = 20,
  LONGEST = 4096
};

struct ready {
  int file;
  short events, seen;
};
struct span {
  long seconds, nanoseconds;
};

static long call(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#endif
}

_Noreturn static void end(int code) {
  for (;;) call(NR_EXIT, code, 0, 0, 0, 0);
}

static size_t length(const char *text) {
  size_t n = 0;
  while (text[n] != '\0') n++;
  return n;
}

static void put(int file, const char *from, size_t size) {
  while (size > 0) {
    long n = call(NR_WRITE, file, (long)from, (long)size, 0, 0);
    if (n == -INTERRUPTED) continue;
    if (n <= 0) return;
    from += n;
    size -= (size_t)n;
  }
}

static void say(const char *text) { put(2, text, length(text)); }

/* The joined path, in a buffer of its own; NULL where it is too long. */
static char *joined(char *to, const char *folder, size_t size, const char *name) {
  size_t more = length(name);
  if (size + more + 2 > LONGEST) return (char *)0;
  for (size_t i = 0; i < size; i++) to[i] = folder[i];
  to[size] = '/';
  for (size_t i = 0; i <= more; i++) to[size + 1 + i] = name[i];
  return to;
}

static int open_in(const char *folder, const char *name) {
  static char path[LONGEST];
  if (!joined(path, folder, length(folder), name)) return -1;
  return (int)call(NR_OPENAT, HERE, (long)path, WRITE_NEW, 0644, 0);
}

/* Becomes the program; gives the number of the error where that cannot be. */
static long become(char **argv, char **env) {
  static char path[LONGEST];
  const char *list = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const char *at = argv[0]; *at != '\0'; at++)
    if (*at == '/') return -call(NR_EXECVE, (long)argv[0], (long)argv, (long)env, 0, 0);
  for (char **one = env; *one; one++)
    if ((*one)[0] == 'P' && (*one)[1] == 'A' && (*one)[2] == 'T' && (*one)[3] == 'H' && (*one)[4] == '=')
      list = *one + 5;
  long worst = NOT_FOUND;
  for (const char *from = list;; from++) {
    const char *to = from;
    while (*to != '\0' && *to != ':') to++;
    if (to != from && joined(path, from, (size_t)(to - from), argv[0])) {
      long error = -call(NR_EXECVE, (long)path, (long)argv, (long)env, 0, 0);
      if (error == DENIED)
        worst = error;
      else if (error != NOT_FOUND && error != NOT_A_FOLDER)
        return error;
    }
    if (*to == '\0') return worst;
    from = to;
  }
}

static void keep_status(int file, int status) {
  int code = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
  char text[4];
  size_t n = 0;
  if (code >= 100) text[n++] = (char)('0' + code / 100);
  if (code >= 10) text[n++] = (char)('0' + code / 10 % 10);
  text[n++] = (char)('0' + code % 10);
  put(file, text, n);
}

static char buffer[65536];

int capture(long argc, char **argv, char **env);
int capture(long argc, char **argv, char **env) {
  if (argc < 3) {
    say("capture: give a folder and a program\n");
    return 125;
  }
  int status_file = open_in(argv[1], "status"), output = open_in(argv[1], "output");
  int out[2], err[2], failure[2];
  if (status_file < 0 || output < 0 || call(NR_PIPE2, (long)out, CLOSE_ON_EXEC, 0, 0, 0) < 0 ||
      call(NR_PIPE2, (long)err, CLOSE_ON_EXEC, 0, 0, 0) < 0 ||
      call(NR_PIPE2, (long)failure, CLOSE_ON_EXEC, 0, 0, 0) < 0) {
    say("capture: what the program does cannot be kept\n");
    return 125;
  }
  long child = call(NR_CLONE, CHILD_SIGNAL, 0, 0, 0, 0);
  if (child < 0) {
    say("capture: no further process\n");
    return 125;
  }
  if (child == 0) {
    call(NR_DUP3, out[1], 1, 0, 0, 0);
    call(NR_DUP3, err[1], 2, 0, 0, 0);
    char error = (char)become(argv + 2, env);
    put(failure[1], &error, 1);
    end(127);
  }
  call(NR_CLOSE, out[1], 0, 0, 0, 0);
  call(NR_CLOSE, err[1], 0, 0, 0, 0);
  call(NR_CLOSE, failure[1], 0, 0, 0, 0);
  char error = 0;
  long told;
  do told = call(NR_READ, failure[0], (long)&error, 1, 0, 0);
  while (told == -INTERRUPTED);
  if (told == 1) {
    say("exec: \"");
    say(argv[2]);
    say(error == DENIED ? "\": permission denied\n" : error == NOT_FOUND ? "\": not found\n" : "\": cannot be run\n");
    return error == NOT_FOUND ? 127 : 126;
  }
  struct ready from[2] = {{out[0], READABLE, 0}, {err[0], READABLE, 0}};
  size_t left = 4 << 20;
  int status = 0, open = 2, ended = 0;
  /* Processes that outlive the program may hold its streams open: once it has ended, only what is there already is read. */
  while (open > 0) {
    struct span wait = {0, ended ? 0 : 50000000};
    from[0].seen = from[1].seen = 0;
    long n = call(NR_PPOLL, (long)from, 2, (long)&wait, 0, 8);
    if (n == 0 && ended) break;
    for (int i = 0; n > 0 && i < 2; i++) {
      if (from[i].seen == 0) continue;
      long size = call(NR_READ, from[i].file, (long)buffer, sizeof buffer, 0, 0);
      if (size == -INTERRUPTED) continue;
      if (size <= 0) {
        from[i].file = -1;
        open--;
        continue;
      }
      put(i + 1, buffer, (size_t)size);
      size_t kept = (size_t)size < left ? (size_t)size : left;
      put(output, buffer, kept);
      left -= kept;
    }
    int how = 0;
    for (long gone; !ended && (gone = call(NR_WAIT4, -1, (long)&how, NO_HANG, 0, 0)) > 0;)
      if (gone == child) {
        status = how;
        ended = 1;
      }
  }
  while (!ended) {
    int how = 0;
    long gone = call(NR_WAIT4, -1, (long)&how, 0, 0, 0);
    if (gone == child) {
      status = how;
      ended = 1;
    } else if (gone < 0 && gone != -INTERRUPTED) {
      say("capture: the program is lost\n");
      return 125;
    }
  }
  keep_status(status_file, status);
  return 0;
}

_Noreturn __attribute__((used)) void begin(long *stack) {
  long argc = stack[0];
  char **argv = (char **)(stack + 1);
  end(capture(argc, argv, argv + argc + 1));
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call begin\n");
#else
__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x0, sp\n  bl begin\n");
#endif
