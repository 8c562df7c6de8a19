/* Fails the n-th call that changes a file below a folder: open to write, write, rename, fsync, truncate, mkdir, unlink.
   Preloaded into a process; `nth_arm` begins to count, `nth_count` says how many calls there were, `nth_failed` which failed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static long at = 0, seen = 0;
static int armed = 0, from_then_on = 0;
static char failed[PATH_MAX + 64];

void nth_arm(const char *folder, long number, int onwards) {
    strncpy(root, folder, sizeof root - 1);
    at = number; seen = 0; from_then_on = onwards; failed[0] = 0; armed = 1;
}
void nth_disarm(void) { armed = 0; }
long nth_count(void) { return seen; }
const char *nth_failed(void) { return failed; }

static int fails(const char *what, const char *path) {
    if (!armed || path == NULL || strncmp(path, root, strlen(root)) != 0) return 0;
    long number = __sync_add_and_fetch(&seen, 1);
    if (at <= 0 || (from_then_on ? number < at : number != at)) return 0;
    if (number == at) snprintf(failed, sizeof failed, "%s %s", what, path);
    return 1;
}
static int fails_fd(const char *what, int fd) {
    char link[64], path[PATH_MAX];
    if (!armed) return 0;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    return fails(what, path);
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(value) do { errno = ENOSPC; return value; } while (0)

#define OPENER(name)                                                            \
    int name(const char *path, int flags, ...) {                                \
        mode_t mode = 0;                                                        \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && fails("open", path)) REFUSE(-1); \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
    }
OPENER(open)
OPENER(open64)
#define OPENER_AT(name)                                                         \
    int name(int folder, const char *path, int flags, ...) {                    \
        mode_t mode = 0;                                                        \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && fails("open", path)) REFUSE(-1); \
        return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name))(folder, path, flags, mode); \
    }
OPENER_AT(openat)
OPENER_AT(openat64)
FILE *fopen(const char *path, const char *mode) { if (strpbrk(mode, "wa+") && fails("open", path)) REFUSE(NULL); return REAL(fopen)(path, mode); }
FILE *fopen64(const char *path, const char *mode) { if (strpbrk(mode, "wa+") && fails("open", path)) REFUSE(NULL); return REAL(fopen64)(path, mode); }
ssize_t write(int fd, const void *data, size_t size) { if (fails_fd("write", fd)) REFUSE(-1); return REAL(write)(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t place) { if (fails_fd("write", fd)) REFUSE(-1); return REAL(pwrite)(fd, data, size, place); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) { if (fails_fd("write", fd)) REFUSE(-1); return REAL(pwrite64)(fd, data, size, place); }
ssize_t writev(int fd, const struct iovec *parts, int count) { if (fails_fd("write", fd)) REFUSE(-1); return REAL(writev)(fd, parts, count); }
int fsync(int fd) { if (fails_fd("fsync", fd)) REFUSE(-1); return REAL(fsync)(fd); }
int fdatasync(int fd) { if (fails_fd("fsync", fd)) REFUSE(-1); return REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { if (fails_fd("truncate", fd)) REFUSE(-1); return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { if (fails_fd("truncate", fd)) REFUSE(-1); return REAL(ftruncate64)(fd, size); }
int rename(const char *old, const char *new) { if (fails("rename", new)) REFUSE(-1); return REAL(rename)(old, new); }
int renameat(int one, const char *old, int two, const char *new) { if (fails("rename", new)) REFUSE(-1); return REAL(renameat)(one, old, two, new); }
int mkdir(const char *path, mode_t mode) { if (fails("mkdir", path)) REFUSE(-1); return REAL(mkdir)(path, mode); }
ssize_t sendfile(int out, int in, off_t *place, size_t size) { if (fails_fd("write", out)) REFUSE(-1); return ((ssize_t (*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile"))(out, in, place, size); }
ssize_t sendfile64(int out, int in, off64_t *place, size_t size) { if (fails_fd("write", out)) REFUSE(-1); return ((ssize_t (*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64"))(out, in, place, size); }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) { if (fails_fd("write", out)) REFUSE(-1); return REAL(copy_file_range)(in, from, out, to, size, flags); }
