// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/diff_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 4096u
#define MADE_TRIES 4   /* to get a file to make the new one in, while others do the same */
#define STAT_BLOCK 512 /* what st_blocks counts, stat(2) */

static int file_read(void *context, void *to, size_t count, uint64_t offset)
{
    const struct diff_file *file = context;
    for (char *at = to; count;) {
        ssize_t n = pread(file->fd, at, count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n) { /* the end: the rest was never written */
            memset(at, 0, count);
            break;
        }
        at += n;
        offset += (uint64_t)n;
        count -= (size_t)n;
    }
    return 0;
}

static int file_write(void *context, const void *from, size_t count, uint64_t offset)
{
    const struct diff_file *file = context;
    for (const char *at = from; count;) {
        ssize_t n = pwrite(file->fd, at, count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        offset += (uint64_t)n;
        count -= (size_t)n;
    }
    return 0;
}

static int file_sync(void *context)
{
    const struct diff_file *file = context;
    return fdatasync(file->fd) ? -errno : 0;
}

/* Room that cannot be given back is no error. */
static int file_punch(void *context, uint64_t count, uint64_t offset)
{
    const struct diff_file *file = context;
    int flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (fallocate(file->fd, flags, (off_t)offset, (off_t)count) && errno != EOPNOTSUPP)
        return -errno;
    return 0;
}

static int64_t file_used(void *context)
{
    const struct diff_file *file = context;
    struct stat st;
    return fstat(file->fd, &st) ? -errno : (int64_t)st.st_blocks * STAT_BLOCK;
}

struct diff_device diff_file_device(struct diff_file *file)
{
    return (struct diff_device){.context = file,
                                .read = file_read,
                                .write = file_write,
                                .sync = file_sync,
                                .punch = file_punch,
                                .used = file_used};
}

static int say(char error[DIFF_ERROR], int number, const char *path, const char *what)
{
    snprintf(error, DIFF_ERROR, "%.120s: %s: %s", path, what, strerror(-number));
    return number;
}

static int lock(int fd, bool writable)
{
    struct flock range = {.l_type = writable ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    if (!fcntl(fd, F_OFD_SETLK, &range))
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Where a new difference is made, before it gets its name. */
static bool made_name(char made[PATH_BYTES], const char *path)
{
    return snprintf(made, PATH_BYTES, "%s.new", path) < (int)PATH_BYTES;
}

static bool is_named(const struct stat *st, const char *path)
{
    struct stat other;
    return !lstat(path, &other) && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* A crash between link and unlink in give_name has left the file its first name too, under which the next reset
   would meet it. The file is locked: nobody is making it now. */
static void drop_first_name(const struct diff_file *file, const char *path)
{
    char made[PATH_BYTES];
    struct stat st;
    if (!fstat(file->fd, &st) && st.st_nlink > 1 && made_name(made, path) && is_named(&st, made))
        unlink(made);
}

int diff_file_open(struct diff_file *file, const char *path, bool writable, char error[DIFF_ERROR])
{
    file->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0)
        return say(error, -errno, path, "the difference cannot be opened");
    int number = lock(file->fd, writable);
    if (number) {
        diff_file_close(file);
        return say(error, number, path, "somebody else has the difference open");
    }
    if (writable)
        drop_first_name(file, path);
    return 0;
}

static int sync_folder(const char *path)
{
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = fsync(fd) ? -errno : 0;
    close(fd);
    return error;
}

/* What is in a file beside it gets the name, and is durable under it. */
static int give_name(const char *made, const char *path, bool reset)
{
    if (reset ? rename(made, path) : link(made, path))
        return -errno;
    if (!reset)
        unlink(made);
    return sync_folder(path);
}

/* A locked, empty file under the name made: a new one, or what a crash has left before it had its other name. One
   that has that is the data itself, and only loses this name. */
static int open_made(const char *made)
{
    for (unsigned i = 0; i < MADE_TRIES; i++) {
        struct stat st;
        int fd = open(made, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int number = fd < 0 ? -errno : lock(fd, true);
        if (!number && fstat(fd, &st))
            number = -errno;
        bool is_ours = !number && is_named(&st, made); /* else whoever made it has finished */
        if (!number && is_ours && st.st_nlink == 1 && !ftruncate(fd, 0))
            return fd;
        if (!number && is_ours && st.st_nlink > 1)
            unlink(made);
        if (fd >= 0)
            close(fd);
        if (number)
            return number;
    }
    return -EBUSY;
}

int diff_file_create(struct diff_file *file, const char *path, bool reset, const char *image,
                     uint64_t image_size, uint32_t block_size, char error[DIFF_ERROR])
{
    char made[PATH_BYTES];
    uint64_t id = 0;
    struct diff_file old = {.fd = -1};
    if (!made_name(made, path))
        return say(error, -ENAMETOOLONG, path, "the difference cannot be made");
    if (reset && diff_file_open(&old, path, true, error)) /* held until the new one is there */
        return -EBUSY;
    file->fd = open_made(made);
    int number = file->fd < 0 ? file->fd : 0;
    if (!number && getrandom(&id, sizeof id, 0) != sizeof id)
        number = -EIO;
    if (number)
        say(error, number, made, "the difference cannot be made");
    struct diff_device device = diff_file_device(file);
    if (!number)
        number = difference_create(&device, image, image_size, block_size, id, (uint64_t)time(NULL),
                                   error);
    if (!number && (number = give_name(made, path, reset)))
        say(error, number, path, "the difference cannot be made");
    if (number && file->fd >= 0)
        unlink(made);
    if (number)
        diff_file_close(file);
    diff_file_close(&old);
    return number;
}

void diff_file_close(struct diff_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
