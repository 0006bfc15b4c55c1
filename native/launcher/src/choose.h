#ifndef CHOOSE_H
#define CHOOSE_H

#include "metadata.h"

typedef struct {
  const Metadata *metadata;
  /* The N of the platform API 0.N. */
  unsigned platform;
  const char *exec_env;
  /* The name that the launcher was called by, and what came after it, up to NULL. */
  const char *self;
  const char *const *arguments;
} Call;

/* The process to start: one of a buildpack when the launcher was called by its type, else the one that the arguments tell. Source: the platform specification, launcher, inputs. Ends the launcher where there is none. */
Process choose_process(const Call *call);

#endif
