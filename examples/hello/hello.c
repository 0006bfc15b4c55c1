/* A web server small enough to read: answers every request with a greeting. `hello check` asks the running one whether it is well. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(void) {
  const char *port = getenv("PORT");
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080)};
  return a;
}

static int check(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = address();
  char answer[16] = "";
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(s, (struct sockaddr *)&a, sizeof a) != 0) return 1;
  if (write(s, "GET / HTTP/1.0\r\n\r\n", 18) != 18 || read(s, answer, 12) != 12) return 1;
  return strcmp(answer, "HTTP/1.1 200") != 0;
}

int main(int argc, char **argv) {
  const char *name = getenv("GREETING");
  char request[4096], body[512], answer[1024];
  int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = address();
  if (argc > 1 && strcmp(argv[1], "check") == 0) return check();
  signal(SIGPIPE, SIG_IGN);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(s, (struct sockaddr *)&a, sizeof a) != 0 || listen(s, 64) != 0) {
    perror("hello: listen");
    return 1;
  }
  printf("hello: serving on port %d as user %d\n", ntohs(a.sin_port), (int)getuid());
  fflush(stdout);
  snprintf(body, sizeof body, "%s\n", name ? name : "Hello from an image that strake built.");
  snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body), body);
  for (;;) {
    int c = accept(s, NULL, NULL);
    if (c < 0) continue;
    if (read(c, request, sizeof request) > 0 && write(c, answer, strlen(answer)) > 0) shutdown(c, SHUT_WR);
    close(c);
  }
}
