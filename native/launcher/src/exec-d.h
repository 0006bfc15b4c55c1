#ifndef EXEC_D_H
#define EXEC_D_H

/* Runs a program in the launch environment and sets the variables that it writes to its file 3 as TOML. Source: the buildpack specification, exec.d. Ends the launcher where the program fails or tells something else. */
void exec_d(const char *path);

#endif
