#include "toml.h"

typedef struct {
  const char *at, *end, *line_start;
  unsigned line, depth;
  const TomlSource *source;
} Reader;

/* Deeper than anybody writes, and far less than the stack holds. */
enum { DEPTH = 1000 };

_Noreturn static void stop_at(const TomlSource *source, unsigned line, unsigned column, const char *message) {
  Buffer place = {0};
  add(&place, source->place);
  add_number(&place, line);
  add(&place, ":");
  add_number(&place, column);
  FAIL(source->code, source->action, ": ", place.at, ": ", message);
}

void toml_fail(const TomlSource *source, const TomlNode *node, const char *message) {
  stop_at(source, node->line, node->column, message);
}

static unsigned column_of(const Reader *r, const char *at) { return (unsigned)(at - r->line_start) + 1; }

_Noreturn static void stop(const Reader *r, const char *message) {
  stop_at(r->source, r->line, column_of(r, r->at), message);
}

static bool more(const Reader *r) { return r->at < r->end; }

/* The byte at a distance, or 0, which no document has. */
static char peek(const Reader *r, ptrdiff_t ahead) { return r->end - r->at > ahead ? r->at[ahead] : '\0'; }

static bool is_line_end(const Reader *r) { return peek(r, 0) == '\n' || (peek(r, 0) == '\r' && peek(r, 1) == '\n'); }

static void pass_line_end(Reader *r) {
  r->at += *r->at == '\r' ? 2 : 1;
  r->line++;
  r->line_start = r->at;
}

static bool is_control(char c) { return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f; }

static void pass_blanks(Reader *r) {
  while (peek(r, 0) == ' ' || peek(r, 0) == '\t') r->at++;
}

/* Blanks and a comment, up to the end of the line. */
static void pass_rest(Reader *r) {
  pass_blanks(r);
  if (peek(r, 0) != '#') return;
  for (; more(r) && !is_line_end(r); r->at++)
    if (is_control(*r->at)) stop(r, "a control character in a comment");
}

static void pass_lines(Reader *r) {
  for (;;) {
    pass_rest(r);
    if (!is_line_end(r)) return;
    pass_line_end(r);
  }
}

static TomlNode *node_at(const Reader *r, TomlKind kind) {
  TomlNode *node = grab(sizeof *node);
  node->kind = kind;
  node->line = r->line;
  node->column = column_of(r, r->at);
  return node;
}

static void append(TomlNode *to, TomlNode *node) {
  if (to->last != NULL)
    to->last->next = node;
  else
    to->first = node;
  to->last = node;
}

static TomlNode *member(TomlNode *table, Text key) { return *indexed(table, key.at, key.size); }

static void put(TomlNode *table, Text key, TomlNode *node) {
  node->key = key;
  append(table, node);
  *indexed(table, key.at, key.size) = node;
}

TomlNode *toml_member(TomlNode *table, const char *key) { return member(table, (Text){key, strlen(key)}); }

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void add_character(Buffer *to, uint32_t c) {
  char bytes[4];
  size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = size - 1; i > 0; i--, c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
  bytes[0] = (char)(first[size] | c);
  add_bytes(to, bytes, size);
}

/* After the backslash. */
static void read_escape(Reader *r, Buffer *to) {
  static const char letters[] = "btnfre\"\\", meant[] = "\b\t\n\f\r\033\"\\";
  char c = peek(r, 0);
  for (size_t i = 0; i < sizeof letters - 1; i++)
    if (c == letters[i]) {
      add_bytes(to, meant + i, 1);
      r->at++;
      return;
    }
  int size = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (size == 0) stop(r, "no escape sequence begins so");
  uint32_t value = 0;
  for (int i = 1; i <= size; i++) {
    int one = hex(peek(r, i));
    if (one < 0) stop(r, "an escape sequence needs more hexadecimal digits");
    value = value << 4 | (uint32_t)one;
  }
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) stop(r, "an escape sequence of no character");
  add_character(to, value);
  r->at += size + 1;
}

/* A backslash at the end of a line leaves out all blanks up to the next text. */
static bool pass_line_escape(Reader *r) {
  Reader ahead = *r;
  pass_blanks(&ahead);
  if (!is_line_end(&ahead)) return false;
  while (more(&ahead) && is_line_end(&ahead)) {
    pass_line_end(&ahead);
    pass_blanks(&ahead);
  }
  *r = ahead;
  return true;
}

static Text read_string(Reader *r, bool lines_allowed) {
  char quote = *r->at;
  bool lines = peek(r, 1) == quote && peek(r, 2) == quote;
  Buffer text = {0};
  add(&text, "");
  if (lines && !lines_allowed) stop(r, "a key is written on one line");
  r->at += lines ? 3 : 1;
  if (lines && is_line_end(r)) pass_line_end(r);
  for (;;) {
    if (!more(r)) stop(r, "the string has no end");
    if (*r->at == quote && (!lines || (peek(r, 1) == quote && peek(r, 2) == quote))) break;
    if (lines && is_line_end(r)) {
      const char *from = r->at;
      pass_line_end(r);
      add_bytes(&text, from, (size_t)(r->at - from));
    } else if (is_control(*r->at)) {
      stop(r, is_line_end(r) ? "the string has no end on its line" : "a control character in a string");
    } else if (quote == '"' && *r->at == '\\') {
      r->at++;
      if (!lines || !pass_line_escape(r)) read_escape(r, &text);
    } else {
      add_bytes(&text, r->at, 1);
      r->at++;
    }
  }
  /* Of four or five quotes at the end the first ones belong to the text. */
  for (int i = 0; i < 2 && lines && peek(r, 3) == quote; i++, r->at++) add_bytes(&text, &quote, 1);
  r->at += lines ? 3 : 1;
  return (Text){text.at, text.size};
}

static bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* One part of a key, and the blanks and the dot after it; whether there was a dot. */
static bool read_key(Reader *r, Text *key) {
  pass_blanks(r);
  if (peek(r, 0) == '"' || peek(r, 0) == '\'') {
    *key = read_string(r, false);
  } else {
    key->at = r->at;
    while (is_bare(peek(r, 0))) r->at++;
    key->size = (size_t)(r->at - key->at);
    if (key->size == 0) stop(r, "a key was expected");
  }
  pass_blanks(r);
  if (peek(r, 0) != '.') return false;
  r->at++;
  return true;
}

_Noreturn static void redefined(const Reader *r, Text key) {
  stop(r, JOIN("\"", copy_of(key.at, key.size), "\" is defined already"));
}

static TomlNode *read_value(Reader *r);

/* `a.b = value` in a table that a header or braces opened. */
static void read_pair(Reader *r, TomlNode *table) {
  for (;;) {
    Text key;
    bool dot = read_key(r, &key);
    TomlNode *known = member(table, key);
    if (!dot) {
      if (known != NULL) redefined(r, key);
      if (peek(r, 0) != '=') stop(r, "\"=\" was expected");
      r->at++;
      pass_blanks(r);
      put(table, key, read_value(r));
      return;
    }
    if (known == NULL) {
      known = node_at(r, TOML_TABLE);
      known->made = MADE_BY_DOTS;
      put(table, key, known);
    } else if (known->kind != TOML_TABLE || known->made != MADE_BY_DOTS) {
      redefined(r, key);
    }
    table = known;
  }
}

static void enter(Reader *r) {
  if (++r->depth > DEPTH) stop(r, "it is nested too deeply");
  r->at++;
}

static TomlNode *read_array(Reader *r) {
  TomlNode *array = node_at(r, TOML_ARRAY);
  enter(r);
  for (pass_lines(r); peek(r, 0) != ']'; pass_lines(r)) {
    append(array, read_value(r));
    pass_lines(r);
    if (peek(r, 0) == ']') break;
    if (peek(r, 0) != ',') stop(r, "\",\" or \"]\" was expected");
    r->at++;
  }
  r->at++;
  r->depth--;
  return array;
}

static TomlNode *read_inline_table(Reader *r) {
  TomlNode *table = node_at(r, TOML_TABLE);
  enter(r);
  for (pass_lines(r); peek(r, 0) != '}'; pass_lines(r)) {
    read_pair(r, table);
    pass_lines(r);
    if (peek(r, 0) == '}') break;
    if (peek(r, 0) != ',') stop(r, "\",\" or \"}\" was expected");
    r->at++;
  }
  r->at++;
  r->depth--;
  return table;
}

static bool is_scalar(char c) { return is_bare(c) || c == '+' || c == '.' || c == ':'; }

static TomlNode *read_value(Reader *r) {
  char c = peek(r, 0);
  if (c == '[') return read_array(r);
  if (c == '{') return read_inline_table(r);
  if (c == '"' || c == '\'') {
    TomlNode *node = node_at(r, TOML_STRING);
    node->text = read_string(r, true);
    return node;
  }
  TomlNode *node = node_at(r, TOML_BOOLEAN);
  const char *at = r->at;
  while (at < r->end && is_scalar(*at)) at++;
  /* A date and a time may have a space between them. */
  if (at - r->at == 10 && r->at[4] == '-' && r->end - at > 1 && *at == ' ' && at[1] >= '0' && at[1] <= '9')
    for (at++; at < r->end && is_scalar(*at);) at++;
  node->text = (Text){r->at, (size_t)(at - r->at)};
  node->truth = same_text(node->text, "true");
  if (!node->truth && !same_text(node->text, "false") && toml_scalar(r->at, at, &node->kind) == NULL)
    stop(r, "a value was expected");
  r->at = at;
  return node;
}

/* `[a.b]` or `[[a.b]]`: the table that the lines after it belong to. */
static TomlNode *read_header(Reader *r, TomlNode *table) {
  bool item = peek(r, 1) == '[';
  r->at += item ? 2 : 1;
  for (;;) {
    Text key;
    bool dot = read_key(r, &key);
    TomlNode *known = member(table, key);
    if (dot || !item) {
      if (known == NULL) {
        known = node_at(r, TOML_TABLE);
        known->made = dot ? MADE_ON_THE_WAY : MADE_BY_HEADER;
        put(table, key, known);
      } else if (known->made == MADE_BY_VALUE ||
                 (!dot && (known->kind != TOML_TABLE || known->made != MADE_ON_THE_WAY))) {
        redefined(r, key);
      }
      if (!dot) known->made = MADE_BY_HEADER;
      table = known->kind == TOML_ARRAY ? known->last : known;
    } else {
      if (known == NULL) {
        known = node_at(r, TOML_ARRAY);
        known->made = MADE_BY_HEADER;
        put(table, key, known);
      } else if (known->kind != TOML_ARRAY || known->made != MADE_BY_HEADER) {
        redefined(r, key);
      }
      table = node_at(r, TOML_TABLE);
      table->made = MADE_BY_HEADER;
      append(known, table);
    }
    if (dot) continue;
    if (peek(r, 0) != ']' || (item && peek(r, 1) != ']')) stop(r, item ? "\"]]\" was expected" : "\"]\" was expected");
    r->at += item ? 2 : 1;
    return table;
  }
}

/* All of it is UTF-8, without surrogates and in the shortest form. */
static void check_encoding(Reader r) {
  while (more(&r)) {
    unsigned char c = (unsigned char)*r.at;
    if (c == '\n') {
      pass_line_end(&r);
      continue;
    }
    int size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    bool good = size > 0;
    for (int i = 1; i < size; i++) good = good && ((unsigned char)peek(&r, i) & 0xc0) == 0x80;
    unsigned char second = (unsigned char)peek(&r, 1);
    if (size == 3) good = good && (c != 0xe0 || second >= 0xa0) && (c != 0xed || second < 0xa0);
    if (size == 4) good = good && (c != 0xf0 || second >= 0x90) && (c != 0xf4 || second < 0x90);
    if (!good) stop(&r, "it is not UTF-8");
    r.at += size;
  }
}

TomlNode *toml_read(Text text, const TomlSource *source) {
  Reader r = {text.at, text.at + text.size, text.at, 1, 0, source};
  check_encoding(r);
  if (text.size >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) r.line_start = r.at += 3;
  TomlNode *root = node_at(&r, TOML_TABLE);
  root->made = MADE_BY_HEADER;
  TomlNode *table = root;
  for (pass_lines(&r); more(&r); pass_lines(&r)) {
    if (*r.at == '[')
      table = read_header(&r, root);
    else
      read_pair(&r, table);
    pass_rest(&r);
    if (more(&r) && !is_line_end(&r)) stop(&r, "the end of the line was expected");
  }
  return root;
}
