/* System calls that fail below one folder, as they do on mounts and quotas: for LD_PRELOAD.
 *
 * FAILING_FOLDER   part of the paths for which they fail
 * FAILING_CALLS    calls with the number of the error, such as "chmod:1,link:95"; it may change
 *                  while the process runs; fchmod and fchmodat fail as chmod does, and so on
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
  const char *folder = getenv("FAILING_FOLDER"), *calls = getenv("FAILING_CALLS");
  size_t length = strlen(call);
  if (!folder || !calls || !path || !strstr(path, folder)) return 0;
  for (const char *at = calls; (at = strstr(at, call)); at += length)
    if ((at == calls || at[-1] == ',') && at[length] == ':') {
      errno = atoi(at + length + 1);
      return 1;
    }
  return 0;
}

static int fails_at(const char *call, int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  int before = errno;
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

int chmod(const char *path, mode_t mode) {
  return fails("chmod", path) ? -1 : REAL(int, chmod, const char *, mode_t)(path, mode);
}
int fchmod(int file, mode_t mode) {
  return fails_at("chmod", file) ? -1 : REAL(int, fchmod, int, mode_t)(file, mode);
}
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
  if (fails("chmod", path)) return -1;
  return REAL(int, fchmodat, int, const char *, mode_t, int)(folder, path, mode, flags);
}
int link(const char *from, const char *to) {
  return fails("link", to) ? -1 : REAL(int, link, const char *, const char *)(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
  if (fails("link", to)) return -1;
  return REAL(int, linkat, int, const char *, int, const char *, int)(a, from, b, to, flags);
}
int rename(const char *from, const char *to) {
  return fails("rename", to) ? -1 : REAL(int, rename, const char *, const char *)(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  if (fails("rename", to)) return -1;
  return REAL(int, renameat, int, const char *, int, const char *)(a, from, b, to);
}
int flock(int file, int operation) {
  return fails_at("flock", file) ? -1 : REAL(int, flock, int, int)(file, operation);
}
int fsync(int file) { return fails_at("fsync", file) ? -1 : REAL(int, fsync, int)(file); }
ssize_t write(int file, const void *bytes, size_t count) {
  if (fails_at("write", file)) return -1;
  return REAL(ssize_t, write, int, const void *, size_t)(file, bytes, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) {
  if (fails_at("write", to)) return -1;
  return REAL(ssize_t, sendfile, int, int, off_t *, size_t)(to, from, offset, count);
}
