/* The environment that the process gets. Source: the buildpack specification, environment; the platform specification, launch environment. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "text.h"

/* Takes over what the container gave, without the lifecycle's own variables and without its folders in PATH. */
void env_start(char *const given[]);
/* "" where it is not set. */
const char *env_get(const char *name);
bool env_has(const char *name);
void env_set(const char *name, const char *value);
/* As execve takes it, in the order in which the variables were first set. */
char **env_list(void);

#endif
