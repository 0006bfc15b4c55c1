#include "toml.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

static bool digit_of(char c, int base) {
  if (base <= 10) return c >= '0' && c < '0' + base;
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Digits with single underscores between them; past them, or NULL where there are none. */
static const char *digits(const char *at, const char *end, int base) {
  if (at == end || !digit_of(*at, base)) return NULL;
  for (at++; at < end; at++) {
    if (*at == '_' && end - at > 1 && digit_of(at[1], base))
      at++;
    else if (!digit_of(*at, base))
      break;
  }
  return at;
}

static bool number(const char *at, const char *end) {
  if (end - at > 2 && *at == '0' && (at[1] == 'x' || at[1] == 'o' || at[1] == 'b'))
    return digits(at + 2, end, at[1] == 'x' ? 16 : at[1] == 'o' ? 8 : 2) == end;
  if (at < end && (*at == '+' || *at == '-')) at++;
  if (end - at == 3 && (memcmp(at, "inf", 3) == 0 || memcmp(at, "nan", 3) == 0)) return true;
  const char *whole = at;
  at = digits(at, end, 10);
  if (at == NULL || (*whole == '0' && at - whole > 1)) return false;
  if (at < end && *at == '.' && (at = digits(at + 1, end, 10)) == NULL) return false;
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = digits(at, end, 10);
  }
  return at == end;
}

/* `size` digits as a number, or -1. */
static int fixed(const char *at, const char *end, int size) {
  int value = 0;
  if (end - at < size) return -1;
  for (int i = 0; i < size; i++) {
    if (!digit(at[i])) return -1;
    value = value * 10 + (at[i] - '0');
  }
  return value;
}

static bool day(const char *at, const char *end) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (end - at < 10 || at[4] != '-' || at[7] != '-') return false;
  int y = fixed(at, end, 4), m = fixed(at + 5, end, 2), d = fixed(at + 8, end, 2);
  if (y < 0 || m < 1 || m > 12 || d < 1) return false;
  bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  return d <= days[m - 1] + (m == 2 && leap ? 1 : 0);
}

/* Past a time of day, or NULL. */
static const char *time_of_day(const char *at, const char *end) {
  if (end - at < 5 || at[2] != ':') return NULL;
  int h = fixed(at, end, 2), m = fixed(at + 3, end, 2);
  if (h < 0 || h > 23 || m < 0 || m > 59) return NULL;
  at += 5;
  if (at == end || *at != ':') return at;
  int s = fixed(at + 1, end, 2);
  if (s < 0 || s > 60) return NULL;
  at += 3;
  if (at == end || *at != '.') return at;
  const char *fraction = ++at;
  while (at < end && digit(*at)) at++;
  return at == fraction ? NULL : at;
}

static bool date(const char *at, const char *end) {
  if (!day(at, end)) return time_of_day(at, end) == end;
  at += 10;
  if (at == end) return true;
  if (*at != 'T' && *at != 't' && *at != ' ') return false;
  at = time_of_day(at + 1, end);
  if (at == NULL || at == end) return at != NULL;
  if (*at == 'Z' || *at == 'z') return at + 1 == end;
  if (*at != '+' && *at != '-') return false;
  int h = fixed(at + 1, end, 2), m = end - at == 6 && at[3] == ':' ? fixed(at + 4, end, 2) : -1;
  return h >= 0 && h <= 23 && m >= 0 && m <= 59;
}

TomlKind *toml_scalar(const char *at, const char *end, TomlKind *kind) {
  if (number(at, end))
    *kind = TOML_NUMBER;
  else if (date(at, end))
    *kind = TOML_DATE;
  else
    return NULL;
  return kind;
}
