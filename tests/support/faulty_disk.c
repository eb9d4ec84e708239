/* A disk that can be pulled out at any moment, for the tests of crash safety (Linux; loaded by LD_PRELOAD).

   After faulty_disk_begin every write, sync, rename and removal below a folder is an event: noted in a log, and
   counted. At event number `kill_at` the process is killed before the event, or half-way through it when it is a
   write. When `space` bytes are written, the disk is full. The log tells what was not yet synced:

       w inode offset length     bytes were written
       s inode                   the file or folder was synced
       c inode path              the file was made under that name
       n inode path              the file has that name from now on
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int log_fd = -1;
static long kill_at, events, space;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void faulty_disk_begin(const char *folder, const char *log, long kill, long room) {
    snprintf(root, sizeof root, "%s", folder);
    kill_at = kill;
    space = room;
    log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
}

long faulty_disk_events(void) { return events; }

static int is_below(const char *path) {
    size_t length = strlen(root);
    return log_fd >= 0 && strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

static int is_ours(int fd) {
    char link[64], path[PATH_MAX];
    if (log_fd < 0 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static void note(const char *format, ...) {
    char line[PATH_MAX + 64];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (REAL(write)(log_fd, line, length) != length) abort();
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts an event; whether it is the last one. */
static int is_last(void) { return ++events == kill_at; }

static long inode(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? (long)status.st_ino : 0;
}

static ssize_t put(int fd, const void *data, size_t size, off_t offset, int at) {
    pthread_mutex_lock(&lock);
    struct stat status;
    fstat(fd, &status);
    off_t place = at ? offset : (fcntl(fd, F_GETFL) & O_APPEND) ? status.st_size : lseek(fd, 0, SEEK_CUR);
    int last = is_last();
    size_t part = last ? size / 2 : size;
    ssize_t done;
    if (!last && space >= 0 && (long)part > space) {
        errno = ENOSPC;
        done = -1;
    } else {
        if (space >= 0) space -= part;
        note("w %ld %ld %ld\n", (long)status.st_ino, (long)place, (long)part);
        done = at ? REAL(pwrite)(fd, data, part, offset) : REAL(write)(fd, data, part);
    }
    if (last) die();
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    return is_ours(fd) ? put(fd, data, size, 0, 0) : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return is_ours(fd) ? put(fd, data, size, offset, 1) : REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }

static int synced(int fd, int result) {
    if (result == 0) note("s %ld\n", inode(fd));
    return result;
}

int fsync(int fd) {
    if (!is_ours(fd)) return REAL(fsync)(fd);
    if (is_last()) die();
    return synced(fd, REAL(fsync)(fd));
}

int fdatasync(int fd) {
    if (!is_ours(fd)) return REAL(fdatasync)(fd);
    if (is_last()) die();
    return synced(fd, REAL(fdatasync)(fd));
}

static void event_at(const char *path) {
    if (is_below(path) && is_last()) die();
}

static void named(char how, const char *path) {
    struct stat status;
    if (is_below(path) && stat(path, &status) == 0) note("%c %ld %s\n", how, (long)status.st_ino, path);
}

int rename(const char *from, const char *to) {
    event_at(to);
    int result = REAL(rename)(from, to);
    if (result == 0) named('n', to);
    return result;
}

int unlink(const char *path) {
    event_at(path);
    return REAL(unlink)(path);
}

/* The whole path of a name next to an open folder. */
static const char *whole(int folder, const char *name, char *path) {
    if (folder == AT_FDCWD || name[0] == '/') return name;
    char link[64], place[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, place, sizeof place - 1);
    if (length < 0) return name;
    place[length] = 0;
    snprintf(path, 2 * PATH_MAX, "%s/%s", place, name);
    return path;
}

int unlinkat(int folder, const char *name, int flags) {
    char path[2 * PATH_MAX];
    event_at(whole(folder, name, path));
    return REAL(unlinkat)(folder, name, flags);
}

int linkat(int from, const char *old, int to, const char *name, int flags) {
    char path[2 * PATH_MAX];
    const char *place = whole(to, name, path);
    event_at(place);
    int result = REAL(linkat)(from, old, to, name, flags);
    if (result == 0) named('n', place);
    return result;
}

static int opened(const char *path, int flags, mode_t mode) {
    struct stat status;
    int is_new = (flags & O_CREAT) && is_below(path) && stat(path, &status) != 0;
    if (is_new) event_at(path);
    int fd = REAL(open)(path, flags, mode);
    if (is_new && fd >= 0) named('c', path);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list values;
    va_start(values, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(values, mode_t) : 0;
    va_end(values);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list values;
    va_start(values, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(values, mode_t) : 0;
    va_end(values);
    return opened(path, flags | O_LARGEFILE, mode);
}
