// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/upload_file.h"

#include "tools/leatd/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
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
    bool is_there =
        !fstatat(names->folder, name, &about, AT_SYMLINK_NOFOLLOW) && S_ISREG(about.st_mode);
    *size = is_there ? about.st_size : 0;
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

/* 0 or errno: the name is given by link, which never takes another file's place. */
static int finish(struct upload *u, const struct names *names, int file)
{
    if (fchmod(file, 0644) || fsync(file) ||
        linkat(names->folder, names->part, names->folder, u->name, 0))
        return errno;
    u->whole = true;
    return unlinkat(names->folder, names->part, 0) || fsync(names->folder) ? errno : 0;
}

static void fail(struct upload *u, int error)
{
    u->outcome = error == EEXIST ? UPLOAD_EXISTS : UPLOAD_FAILED;
    u->error = error;
}

static void write_piece(struct upload *u, const struct names *names, int file)
{
    struct stat about;
    if (fstat(file, &about)) {
        fail(u, errno);
        return;
    }
    u->received = about.st_size;
    if (about.st_size != u->at) {
        u->outcome = UPLOAD_ELSEWHERE;
        return;
    }
    if (u->data && !has_room(file, u->count)) {
        u->outcome = UPLOAD_FULL;
        return;
    }
    int error = put(u, file);
    if (error && ftruncate(file, (off_t)u->at)) // what has arrived before stays
        error = errno;
    if (!error)
        u->received = u->at + u->count;
    if (!error && u->received == u->total)
        error = finish(u, names, file);
    if (error)
        fail(u, error);
}

/* Of those that nobody has gone on with for a day. */
static void remove_stale(const struct names *names)
{
    struct stat about;
    int copy = dup(names->folder);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        size_t size = strlen(entry->d_name), end = strlen(UPLOAD_SUFFIX);
        if (size > end && !strcmp(entry->d_name + size - end, UPLOAD_SUFFIX) &&
            !fstatat(names->folder, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) &&
            about.st_mtime < time(NULL) - UPLOAD_STALE)
            unlinkat(names->folder, entry->d_name, 0);
    }
    if (list)
        closedir(list);
    else if (copy >= 0)
        close(copy);
}

void upload_file_write(struct upload *u)
{
    struct names names = {.folder = -1};
    if (!open_folder(&names, u->folder, u->name)) {
        fail(u, errno);
        return;
    }
    if (exists(&names, u->name, &u->received)) {
        u->outcome = UPLOAD_EXISTS;
    } else {
        if (!u->at)
            remove_stale(&names);
        int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (u->at ? 0 : O_CREAT);
        int file = openat(names.folder, names.part, flags, 0640);
        if (file >= 0)
            write_piece(u, &names, file);
        else if (errno == ENOENT)
            u->outcome = UPLOAD_ELSEWHERE; // nothing has arrived yet
        else
            fail(u, errno);
        if (file >= 0)
            close(file);
    }
    close(names.folder);
}

bool upload_file_look(const char *folder, const char *name, int64_t *received, bool *whole)
{
    struct names names = {.folder = -1};
    if (!open_folder(&names, folder, name))
        return false;
    *whole = exists(&names, name, received);
    bool found = *whole || exists(&names, names.part, received);
    close(names.folder);
    return found;
}

bool upload_file_drop(const char *folder, const char *name)
{
    struct names names = {.folder = -1};
    if (!open_folder(&names, folder, name))
        return false;
    bool found = !unlinkat(names.folder, names.part, 0);
    close(names.folder);
    return found;
}
