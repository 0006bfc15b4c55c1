/* What the exporter wrote down: <layers>/config/metadata.toml. Source: the platform specification, metadata.toml. */
#ifndef METADATA_H
#define METADATA_H

#include "text.h"

typedef struct {
  const char *id;
  /* As it stands there, and what follows "0." in it. */
  const char *api;
  unsigned minor;
} Buildpack;

typedef struct {
  const char *type;
  /* These end with NULL. */
  const char **command, **args, **exec_env;
  bool direct;
  /* The id of a buildpack; "" where there is none. */
  const char *buildpack;
  const char *folder;
} Process;

typedef struct {
  Buildpack *buildpacks;
  size_t buildpack_count;
  Process *processes;
  size_t process_count;
} Metadata;

/* Ends the launcher where the file is missing, no TOML, or not what it should be, and where a buildpack's API is not known. */
Metadata read_metadata(const char *layers);
/* NULL where no such buildpack took part. */
const Buildpack *buildpack_of(const Metadata *metadata, const Process *process);
/* The minor part of a version 0.N with `from` <= N <= `to`, or -1. */
int api_minor(const char *version, unsigned from, unsigned to);

size_t count_of(const char *const list[]);

#endif
