/* A disk that fails: loaded in front of the C library, it counts what a program does to the files below one directory, and
 * fails one of those operations, or kills the program there, or leaves what a disk would hold that only knows what was synced.
 *
 *   DISK_DIR    the directory
 *   DISK_KIND   count | eio | enospc | kill | crash | torn
 *   DISK_AT     the number of the operation, from 0
 *   DISK_WORK   an empty directory: `ops` tells how many operations there were, `image` is what is left after a crash
 *   DISK_SEED   for `torn`: of what was not synced, some pages and some directories are new
 *
 * A file holds what it held when it was synced last, a directory the names that it had then. Log segments, which are zeros
 * behind what was written, are copied up to the first 64 KiB of zeros. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { NONE, COUNT, EIO_KIND, ENOSPC_KIND, KILL, CRASH, TORN };
enum { READS, WRITES };
enum { FDS = 4096, PAGE = 4096, ZEROS = 1 << 16 };

struct name {
  ino_t dir, ino;
  int is_dir;
  char name[NAME_MAX + 1];
};

static enum kind kind;
static long at, ops;
static unsigned long seed;
static char dir[PATH_MAX], work[PATH_MAX];
static size_t dir_len;
static char tracked[FDS];
static struct name *names;
static size_t names_len, names_cap;
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_below(const char *path) {
  return kind != NONE && path && strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == 0);
}
static int is_tracked(int fd) { return kind != NONE && fd >= 0 && fd < FDS && tracked[fd]; }

static void shadow(char *out, ino_t ino) { snprintf(out, PATH_MAX, "%s/%lu", work, (unsigned long)ino); }
static void kept(char *out, ino_t ino) { snprintf(out, PATH_MAX, "%s/kept-%lu", work, (unsigned long)ino); }

/* What a file holds, to another one. */
static void copy(int from, const char *to, int is_log) {
  static char buffer[ZEROS], zeros[ZEROS];
  struct stat st;
  int out = REAL(open64)(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (out < 0 || fstat(from, &st)) abort();
  off_t offset = 0;
  ssize_t n;
  while ((n = REAL(pread64)(from, buffer, sizeof buffer, offset)) > 0) {
    if (is_log && memcmp(buffer, zeros, n) == 0) break;
    if (REAL(write)(out, buffer, n) != n) abort();
    offset += n;
  }
  if (REAL(ftruncate64)(out, st.st_size)) abort();
  close(out);
}

static void forget_names(ino_t of) {
  size_t left = 0;
  for (size_t i = 0; i < names_len; i++)
    if (names[i].dir != of) names[left++] = names[i];
  names_len = left;
}

static void learn_names(ino_t of, DIR *d) {
  struct dirent *e;
  forget_names(of);
  while ((e = readdir(d))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (names_len == names_cap) names = realloc(names, (names_cap = names_cap * 2 + 64) * sizeof *names);
    struct name *n = &names[names_len++];
    n->dir = of, n->ino = e->d_ino, n->is_dir = e->d_type == DT_DIR;
    strcpy(n->name, e->d_name);
  }
}

static int is_log(const char *path) {
  const char *name = strrchr(path, '/');
  return name && (strstr(name, "CommitLog") || strstr(name, "commitlog"));
}

/* Everything that is there is on the disk. */
static void learn(const char *path) {
  struct stat st;
  char child[PATH_MAX], to[PATH_MAX];
  DIR *d = REAL(opendir)(path);
  if (!d || stat(path, &st)) return;
  learn_names(st.st_ino, d);
  rewinddir(d);
  for (struct dirent *e; (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    snprintf(child, sizeof child, "%s/%s", path, e->d_name);
    if (e->d_type == DT_DIR) {
      learn(child);
      continue;
    }
    int fd = REAL(open64)(child, O_RDONLY);
    shadow(to, e->d_ino);
    copy(fd, to, is_log(child));
    close(fd);
  }
  closedir(d);
}

static void synced(int fd) {
  struct stat st;
  char path[PATH_MAX], link[64];
  if ((kind != CRASH && kind != TORN) || fstat(fd, &st)) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) abort();
  path[n] = 0;
  if (S_ISDIR(st.st_mode)) {
    DIR *d = REAL(opendir)(path);
    if (d) learn_names(st.st_ino, d), closedir(d);
    return;
  }
  char to[PATH_MAX];
  shadow(to, st.st_ino);
  int from = REAL(open64)(link, O_RDONLY);
  if (from < 0) abort();
  copy(from, to, is_log(path));
  close(from);
}

/* A file that loses a name stays, so that its number is not given to another one. */
static void keep(const char *path) {
  struct stat st;
  char to[PATH_MAX];
  if ((kind != CRASH && kind != TORN) || lstat(path, &st) || !S_ISREG(st.st_mode)) return;
  kept(to, st.st_ino);
  if (link(path, to) && errno != EEXIST) abort();
}

static int coin(void) {
  seed = seed * 6364136223846793005ul + 1442695040888963407ul;
  return seed >> 40 & 1;
}

/* Pages of what the file holds now, among those of what was synced. */
static void tear(const char *now, const char *image) {
  char page[PAGE];
  int from = REAL(open64)(now, O_RDONLY), to = REAL(open64)(image, O_RDWR);
  struct stat a, b;
  if (from < 0 || to < 0 || fstat(from, &a) || fstat(to, &b)) {
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return;
  }
  off_t size = coin() ? a.st_size : b.st_size;
  if (REAL(ftruncate64)(to, size)) abort();
  for (off_t offset = 0; offset < size; offset += PAGE) {
    if (!coin()) continue;
    ssize_t n = REAL(pread64)(from, page, PAGE, offset);
    if (n > size - offset) n = size - offset;
    if (n > 0 && REAL(pwrite64)(to, page, n, offset) != n) abort();
  }
  close(from), close(to);
}

/* What the disk holds of a directory, whose present path is `now` if it has one. */
static void restore(ino_t of, const char *now, const char *image) {
  char to[PATH_MAX], from[PATH_MAX], present[PATH_MAX];
  struct stat st;
  if (REAL(mkdir)(image, 0755) && errno != EEXIST) abort();
  if (kind == TORN && *now && coin()) {
    DIR *d = REAL(opendir)(now);
    if (d) learn_names(of, d), closedir(d);
  }
  /* Of its own: what lies deeper may learn names. */
  size_t len = 0;
  struct name *own = malloc(names_len * sizeof *own + 1);
  for (size_t i = 0; i < names_len; i++)
    if (names[i].dir == of) own[len++] = names[i];
  for (size_t i = 0; i < len; i++) {
    struct name n = own[i];
    snprintf(to, sizeof to, "%s/%s", image, n.name);
    snprintf(present, sizeof present, "%s/%s", now, n.name);
    int is_there = *now && !lstat(present, &st) && st.st_ino == n.ino;
    if (n.is_dir) {
      restore(n.ino, is_there ? present : "", to);
      continue;
    }
    if (!is_there) kept(present, n.ino);
    shadow(from, n.ino);
    int fd = REAL(open64)(from, O_RDONLY);
    if (fd >= 0) {
      copy(fd, to, is_log(to));
      close(fd);
    } else
      close(REAL(open64)(to, O_WRONLY | O_CREAT, 0644));
    if (kind == TORN) tear(present, to);
  }
  free(own);
}

static void crash(void) {
  struct stat st;
  char image[PATH_MAX];
  snprintf(image, sizeof image, "%s/image", work);
  if (stat(dir, &st)) abort();
  restore(st.st_ino, dir, image);
  syscall(SYS_exit_group, 137);
}

/* Counts an operation, with the mutex held: whether it is to fail, with errno set. */
static int fails(int writes) {
  if (kind == NONE || (kind == ENOSPC_KIND && !writes)) return 0;
  if (ops++ != at || kind == COUNT) return 0;
  if (kind == KILL) syscall(SYS_exit_group, 137);
  if (kind == CRASH || kind == TORN) crash();
  errno = kind == EIO_KIND ? EIO : ENOSPC;
  return 1;
}

__attribute__((constructor)) static void begin(void) {
  const char *k = getenv("DISK_KIND"), *d = getenv("DISK_DIR"), *w = getenv("DISK_WORK"), *a = getenv("DISK_AT"),
             *s = getenv("DISK_SEED");
  if (!k || !d || !w) return;
  strncpy(dir, d, sizeof dir - 1), strncpy(work, w, sizeof work - 1);
  dir_len = strlen(dir);
  at = a ? atol(a) : -1;
  seed = s ? strtoul(s, 0, 10) : 0;
  enum kind is = !strcmp(k, "eio") ? EIO_KIND : !strcmp(k, "enospc") ? ENOSPC_KIND : !strcmp(k, "kill") ? KILL : !strcmp(k, "crash") ? CRASH : !strcmp(k, "torn") ? TORN : COUNT;
  if (is == CRASH || is == TORN) learn(dir);
  kind = is;
}

__attribute__((destructor)) static void end(void) {
  char path[PATH_MAX], text[32];
  if (kind == NONE) return;
  kind = NONE;
  snprintf(path, sizeof path, "%s/ops", work);
  int fd = REAL(open64)(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int n = snprintf(text, sizeof text, "%ld", ops);
  if (REAL(write)(fd, text, n) != n) abort();
  close(fd);
}

#define LOCKED(type, call) \
  pthread_mutex_lock(&mutex); \
  type result = call; \
  int error = errno; \
  pthread_mutex_unlock(&mutex); \
  errno = error; \
  return result;

static int opened(const char *path, int flags, mode_t mode) {
  if (is_below(path) && fails(flags & (O_CREAT | O_TRUNC) ? WRITES : READS)) return -1;
  int fd = REAL(open64)(path, flags, mode);
  if (fd >= 0 && fd < FDS) tracked[fd] = is_below(path);
  return fd;
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  LOCKED(int, opened(path, flags, mode))
}

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  LOCKED(int, opened(path, flags, mode))
}

DIR *opendir(const char *path) { LOCKED(DIR *, is_below(path) && fails(READS) ? NULL : REAL(opendir)(path)) }

int close(int fd) {
  if (is_tracked(fd)) tracked[fd] = 0;
  return REAL(close)(fd);
}

#define ON_FD(type, name, writes, parameters, arguments) \
  type name parameters { \
    if (!is_tracked(fd)) return REAL(name) arguments; \
    LOCKED(type, fails(writes) ? -1 : REAL(name) arguments) \
  }

ON_FD(ssize_t, read, READS, (int fd, void *b, size_t n), (fd, b, n))
ON_FD(ssize_t, pread64, READS, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))
ON_FD(ssize_t, write, WRITES, (int fd, const void *b, size_t n), (fd, b, n))
ON_FD(ssize_t, writev, WRITES, (int fd, const struct iovec *v, int n), (fd, v, n))
ON_FD(ssize_t, pwrite64, WRITES, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
ON_FD(int, ftruncate64, WRITES, (int fd, off64_t n), (fd, n))
ON_FD(int, fallocate64, WRITES, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n))

static int sync_of(int fd, int (*call)(int)) {
  if (fails(WRITES)) return -1;
  int done = call(fd);
  if (!done) synced(fd);
  return done;
}

int fsync(int fd) {
  if (!is_tracked(fd)) return REAL(fsync)(fd);
  LOCKED(int, sync_of(fd, REAL(fsync)))
}

int fdatasync(int fd) {
  if (!is_tracked(fd)) return REAL(fdatasync)(fd);
  LOCKED(int, sync_of(fd, REAL(fdatasync)))
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
  if (!is_tracked(fd)) return REAL(mmap64)(address, length, protection, flags, fd, offset);
  LOCKED(void *, fails(READS) ? MAP_FAILED : REAL(mmap64)(address, length, protection, flags, fd, offset))
}

static int renamed(const char *from, const char *to) {
  if (fails(WRITES)) return -1;
  keep(to);
  return REAL(rename)(from, to);
}

int rename(const char *from, const char *to) {
  if (!is_below(to)) return REAL(rename)(from, to);
  LOCKED(int, renamed(from, to))
}

static int unlinked(const char *path) {
  if (fails(READS)) return -1;
  keep(path);
  return REAL(unlink)(path);
}

int unlink(const char *path) {
  if (!is_below(path)) return REAL(unlink)(path);
  LOCKED(int, unlinked(path))
}

/* Who removes a whole directory names its files by the directory that they are in. */
static int unlinked_at(int fd, const char *name, int flags) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n > 0 && fd >= 0) {
    snprintf(path + n, sizeof path - n, "/%s", name);
    if (is_below(path)) {
      if (fails(READS)) return -1;
      keep(path);
    }
  }
  return REAL(unlinkat)(fd, name, flags);
}

int unlinkat(int fd, const char *name, int flags) { LOCKED(int, unlinked_at(fd, name, flags)) }

int mkdir(const char *path, mode_t mode) {
  if (!is_below(path)) return REAL(mkdir)(path, mode);
  LOCKED(int, fails(WRITES) ? -1 : REAL(mkdir)(path, mode))
}
