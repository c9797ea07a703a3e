// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/upload_file.h"

#include "tools/leatd/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KEPT_FREE 64 // one part of so many of the file system stays free

struct names {
    int folder; // a descriptor
    char part[NAME_BYTES + sizeof UPLOAD_SUFFIX];
};

static bool open_folder(struct names *names, const char *folder, const char *name)
{
    snprintf(names->part, sizeof names->part, "%s%s", name, UPLOAD_SUFFIX);
    names->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return names->folder >= 0;
}

static bool exists(const struct names *names, const char *name, int64_t *size)
{
    struct stat about;
    bool is_there = !fstatat(names->folder, name, &about, AT_SYMLINK_NOFOLLOW);
    *size = is_there && S_ISREG(about.st_mode) ? about.st_size : 0;
    return is_there;
}

static bool has_room(int file, int64_t count)
{
    struct statvfs about;
    if (fstatvfs(file, &about))
        return true; // the write will tell
    uint64_t unit = about.f_frsize;
    return (uint64_t)about.f_bavail * unit >=
           (uint64_t)count + (uint64_t)about.f_blocks * unit / KEPT_FREE;
}

/* 0 or errno. */
static int put(const struct upload *u, int file)
{
    int64_t done = 0;
    while (u->data && done < u->count) {
        ssize_t size = pwrite(file, (const char *)u->data + done, (size_t)(u->count - done),
                              (off_t)(u->at + done));
        if (size <= 0 && errno != EINTR)
            return size ? errno : EIO;
        done += size > 0 ? size : 0;
    }
    if (!u->data && ftruncate(file, (off_t)(u->at + u->count)))
        return errno;
    return fdatasync(file) ? errno : 0;
}

/* Where finish() was ended between link and unlink, a file has both names. */
static void drop_second_name(const struct names *names, const char *name)
{
    struct stat part, whole;
    if (!fstatat(names->folder, names->part, &part, AT_SYMLINK_NOFOLLOW) &&
        !fstatat(names->folder, name, &whole, AT_SYMLINK_NOFOLLOW) && part.st_dev == whole.st_dev &&
        part.st_ino == whole.st_ino && !unlinkat(names->folder, names->part, 0))
        fsync(names->folder);
}

/* 0 or errno: the name is given by link, which never takes another file's place. */
static int finish(struct upload *u, const struct names *names, int file)
{
    if (fchmod(file, 0644) || fsync(file) ||
        linkat(names->folder, names->part, names->folder, u->name, 0))
        return errno;
    u->whole = true;
    if (unlinkat(names->folder, names->part, 0) && errno != ENOENT)
        return errno;
    return fsync(names->folder) ? errno : 0;
}

static void fail(struct upload *u, int error)
{
    u->outcome = UPLOAD_FAILED;
    u->error = error;
}

static bool is_last(const struct upload *u)
{
    return u->at + u->count == u->total;
}

static void write_piece(struct upload *u, const struct names *names, int file)
{
    struct stat about;
    if (fstat(file, &about)) {
        fail(u, errno);
        return;
    }
    u->received = about.st_size;
    // All is there but the name: leatd was killed before it could be given.
    bool is_written = is_last(u) && about.st_size == u->total;
    if (!is_written && about.st_size != u->at) {
        u->outcome = UPLOAD_ELSEWHERE;
        return;
    }
    if (!is_written && u->data && !has_room(file, u->count)) {
        u->outcome = UPLOAD_FULL;
        return;
    }
    int error = is_written ? 0 : put(u, file);
    if (error && ftruncate(file, (off_t)u->at)) // what has arrived before stays
        error = errno;
    if (!error)
        u->received = u->at + u->count;
    if (!error && is_last(u))
        error = finish(u, names, file);
    if (error)
        fail(u, error);
}

static void open_and_write(struct upload *u, const struct names *names)
{
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (u->at ? 0 : O_CREAT);
    int file = openat(names->folder, names->part, flags, 0640);
    if (file >= 0)
        write_piece(u, names, file);
    else if (errno == ENOENT)
        u->outcome = UPLOAD_ELSEWHERE; // nothing has arrived yet
    else
        fail(u, errno);
    if (file >= 0)
        close(file);
}

/* If a whole file has the name: the upload's own if its last piece came twice at once, else somebody else's. */
static void meet_whole(struct upload *u, const struct names *names)
{
    int64_t size;
    if (!exists(names, u->name, &size))
        return;
    u->received = size;
    drop_second_name(names, u->name);
    u->whole = is_last(u) && u->received == u->total && !exists(names, names->part, &size);
    u->outcome = u->whole ? UPLOAD_DONE : UPLOAD_EXISTS;
}

void upload_file_write(struct upload *u)
{
    struct names names = {.folder = -1};
    if (!open_folder(&names, u->folder, u->name)) {
        fail(u, errno);
        return;
    }
    int64_t size;
    if (!exists(&names, u->name, &size))
        open_and_write(u, &names);
    if (!u->whole)
        meet_whole(u, &names);
    close(names.folder);
}

bool upload_file_look(const char *folder, const char *name, int64_t *received, bool *whole)
{
    struct names names = {.folder = -1};
    if (!open_folder(&names, folder, name))
        return false;
    *whole = exists(&names, name, received);
    if (*whole)
        drop_second_name(&names, name);
    bool found = *whole || exists(&names, names.part, received);
    close(names.folder);
    return found;
}

/* 0 or errno; none there is fine. */
static int remove_one(const struct names *names, const char *name, bool *found)
{
    if (!unlinkat(names->folder, name, 0)) {
        *found = true;
        return 0;
    }
    return errno == ENOENT ? 0 : errno;
}

int upload_file_drop(const char *folder, const char *name, bool also_whole, bool *found)
{
    struct names names = {.folder = -1};
    *found = false;
    if (!open_folder(&names, folder, name))
        return errno;
    int error = remove_one(&names, names.part, found);
    if (!error && also_whole)
        error = remove_one(&names, name, found);
    if (!error && fsync(names.folder))
        error = errno;
    close(names.folder);
    return error;
}
