/* How the process replaces the launcher. */
#ifndef START_H
#define START_H

#include "layers.h"

/* Without a shell. */
_Noreturn void start_direct(const Process *process, const char *app);
/* By bash, after the layers' profile scripts and <app>/.profile. `self` is what the launcher was called by. */
_Noreturn void start_in_shell(const Process *process, const Layers *layers, const char *app, const char *self);

#endif
