/* What the layers of the buildpacks add: variables, programs that tell variables, and scripts for a shell. */
#ifndef LAYERS_H
#define LAYERS_H

#include "metadata.h"

/* <layers> and the chosen process's type, "" where it has none. */
typedef struct {
  const char *folder;
  const Metadata *metadata;
  const char *type;
} Layers;

/* bin and lib folders, then env, env.launch and env.launch/<type> of each layer. */
void apply_layers(const Layers *layers);
/* Runs exec.d and exec.d/<type> of each layer. */
void run_exec_d(const Layers *layers);
/* The paths of profile.d and profile.d/<type> of each layer, up to NULL. */
const char **profiles_of(const Layers *layers);

#endif
