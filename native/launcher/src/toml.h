/* A reader of TOML: https://toml.io/en/v1.0.0, and what 1.1 allows besides (\e, \xHH, seconds left out, inline tables over several lines). Whole and strict; numbers and dates are checked and kept as they were written. */
#ifndef TOML_H
#define TOML_H

#include "text.h"

typedef enum { TOML_STRING, TOML_BOOLEAN, TOML_NUMBER, TOML_DATE, TOML_ARRAY, TOML_TABLE } TomlKind;

typedef struct TomlNode TomlNode;
struct TomlNode {
  TomlKind kind;
  /* Of a table: where it came from, which decides what may be added to it. Of an array: whether [[…]] made it. */
  enum { MADE_BY_VALUE, MADE_BY_DOTS, MADE_ON_THE_WAY, MADE_BY_HEADER } made;
  bool truth;
  unsigned line, column;
  Text key, text;
  /* Items of an array, members of a table, in the order of the document. */
  TomlNode *first, *last, *next;
};

typedef struct {
  int code;
  /* What is being done, as in "read metadata". */
  const char *action;
  /* How a place is told: what stands before "line:column". */
  const char *place;
} TomlSource;

/* The root table. Ends the launcher with `source->code` and the place where the text is no TOML. `text` must stay. */
TomlNode *toml_read(Text text, const TomlSource *source);
/* The member, or NULL. */
TomlNode *toml_member(TomlNode *table, const char *key);
/* Ends the launcher: what is wrong, and where it stands. */
_Noreturn void toml_fail(const TomlSource *source, const TomlNode *node, const char *message);

/* The value of a number or date as a document writes it, or NULL: for toml.c. */
TomlKind *toml_scalar(const char *at, const char *end, TomlKind *kind);

#endif
