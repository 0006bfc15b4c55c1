#include "exec-d.h"

#include "environment.h"
#include "files.h"
#include "toml.h"

/* What a process can be given is less. */
enum { MOST = 16 << 20 };

_Noreturn static void fail_at(const char *path, const char *what, const char *why) {
  FAIL(CODE_LAUNCH, "launch: exec.d: failed to ", what, " exec.d file at path '", path, "': ", why);
}

/* In the child: standard input is empty, file 3 is `out`, and an error of execve goes to `trouble`. */
_Noreturn static void become(const char *path, int out, int trouble, char *const environment[]) {
  char *arguments[] = {copy_of(path, strlen(path)), NULL};
  /* Out of the way of 3 first. */
  long error = sys_copy_above(trouble, 4);
  if (error >= 0) {
    trouble = (int)error;
    long null = sys_open_null();
    error = null < 0 ? null : sys_copy_to((int)null, 0);
    if (null > 0) sys_close((int)null);
    if (error >= 0) error = sys_copy_to(out, 3);
    if (error >= 0) error = sys_execute(path, arguments, environment);
  }
  int number = (int)-error;
  sys_write(trouble, &number, sizeof number);
  sys_exit(127);
}

static const char *how_it_ended(int status) {
  static const struct {
    int number;
    const char *name;
  } known[] = {{6, "aborted"}, {9, "killed"}, {11, "segmentation fault"}, {13, "broken pipe"}, {15, "terminated"}};
  Buffer text = {0};
  int signal = status & 0x7f;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].number == signal) return JOIN("signal: ", known[i].name);
  add(&text, signal == 0 ? "exit status " : "signal ");
  add_number(&text, (unsigned long)(signal == 0 ? (status >> 8) & 0xff : signal));
  return text.at;
}

static void set_all(const char *path, const Buffer *output) {
  TomlSource source = {
      CODE_LAUNCH, JOIN("launch: exec.d: failed to decode output from exec.d file at path '", path, "'"), "line "};
  const TomlNode *root = toml_read((Text){output->at, output->size}, &source);
  for (const TomlNode *node = root->first; node != NULL; node = node->next) {
    const char *name = copy_of(node->key.at, node->key.size);
    bool good = node->key.size > 0 && strlen(name) == node->key.size;
    for (const char *at = name; *at != '\0'; at++) good = good && *at != '=';
    if (!good) toml_fail(&source, node, JOIN("\"", name, "\" is no name of a variable"));
    if (node->kind != TOML_STRING) toml_fail(&source, node, JOIN("\"", name, "\" is not a string"));
    if (strlen(node->text.at) != node->text.size)
      toml_fail(&source, node, JOIN("\"", name, "\" contains a zero byte, which no variable can"));
    env_set(name, node->text.at);
  }
}

void exec_d(const char *path) {
  int out[2], trouble[2], status = 0, error = 0;
  char **environment = env_list();
  long made = sys_pipe(out);
  if (made >= 0) made = sys_pipe(trouble);
  long child = made < 0 ? made : sys_fork();
  if (child < 0) fail_at(path, "execute", error_text(child));
  if (child == 0) become(path, out[1], trouble[1], environment);
  sys_close(out[1]);
  sys_close(trouble[1]);
  bool started = sys_read(trouble[0], &error, sizeof error) != (long)sizeof error;
  Buffer output = {0};
  /* To the end: until everybody who holds it has closed it. */
  long got = started ? read_all(out[0], &output, MOST) : 0;
  sys_close(out[0]);
  sys_close(trouble[0]);
  long ended = sys_wait((int)child, &status);
  if (!started) fail_at(path, "execute", error_text(error));
  if (ended < 0) fail_at(path, "execute", error_text(ended));
  /* One that wrote too much was ended by that. */
  if (got < 0) fail_at(path, "read output from", error_text(got));
  if (status != 0) fail_at(path, "execute", how_it_ended(status));
  set_all(path, &output);
}
