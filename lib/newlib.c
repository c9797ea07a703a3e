// SPDX-License-Identifier: BSD-2-Clause
/*
 * What newlib asks of a system. There are no files: descriptors 1 and 2 are log lines, all else
 * fails.
 */
#include <errno.h>
#include <malloc.h>
#include <reent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/log.h"
#include "lib/map.h"
#include "lib/mutex.h"
#include "lib/sys.h"

#undef errno
extern int errno;

/* Few calls to the kernel, little waste in a small service. */
#define HEAP_CHUNK (256u << 10)

static struct {
    uint64_t used, mapped; /* bytes from LEAT_HEAP_VA */
} heap;

static struct leat_mutex malloc_mutex;

void leat_newlib_init(void);
void *sbrk(ptrdiff_t increment);
int read(int fd, void *buffer, size_t size);
int write(int fd, const void *buffer, size_t size);
int close(int fd);
off_t lseek(int fd, off_t offset, int whence);
int isatty(int fd);
pid_t getpid(void);
_Noreturn void _exit(int code);
void __malloc_lock(struct _reent *reent);
void __malloc_unlock(struct _reent *reent);
void *_realloc_r(struct _reent *reent, void *old, size_t size);

void leat_newlib_init(void)
{
    leat_mutex_init(&malloc_mutex);
}

/* malloc calls sbrk inside this lock as well, so the heap needs no other. */
void __malloc_lock(struct _reent *reent)
{
    (void)reent;
    leat_mutex_lock(&malloc_mutex);
}

void __malloc_unlock(struct _reent *reent)
{
    (void)reent;
    leat_mutex_unlock(&malloc_mutex);
}

static bool heap_grow(uint64_t to)
{
    uint64_t size = (to - heap.mapped + HEAP_CHUNK - 1) & ~(uint64_t)(HEAP_CHUNK - 1);
    int64_t mem = leat_mem_create(size, 0);
    int64_t error;

    if (mem <= 0) {
        return false;
    }
    error = leat_mem_map(LEAT_SELF, (leat_handle_t)mem, LEAT_HEAP_VA + heap.mapped, 0, size,
                         LEAT_PROT_READ | LEAT_PROT_WRITE);
    leat_handle_close((leat_handle_t)mem); /* the mapping keeps the memory */
    if (error != LEAT_OK) {
        return false;
    }
    heap.mapped += size;
    return true;
}

void *sbrk(ptrdiff_t increment)
{
    uint64_t old = heap.used;

    if (increment < 0) {
        if ((uint64_t)-increment > heap.used) {
            errno = EINVAL;
            return (void *)-1;
        }
        heap.used -= (uint64_t)-increment;
    } else {
        uint64_t wanted = heap.used + (uint64_t)increment;

        if (wanted > LEAT_MAP_VA - LEAT_HEAP_VA || (wanted > heap.mapped && !heap_grow(wanted))) {
            errno = ENOMEM;
            return (void *)-1;
        }
        heap.used = wanted;
    }
    return (void *)(LEAT_HEAP_VA + old);
}

/* In place of newlib's (3.3, nano-mallocr.c), which copies as many bytes as the new block has: at the
 * heap's end the old one has no such bytes behind it, and the process dies. */
void *_realloc_r(struct _reent *reent, void *old, size_t size)
{
    if (old == NULL) {
        return _malloc_r(reent, size);
    }
    if (size == 0) {
        _free_r(reent, old);
        return NULL;
    }
    size_t had = _malloc_usable_size_r(reent, old);
    if (had >= size) {
        return old;
    }
    void *block = _malloc_r(reent, size);
    if (block != NULL) {
        memcpy(block, old, had);
        _free_r(reent, old);
    }
    return block;
}

int write(int fd, const void *buffer, size_t size)
{
    static char line[LEAT_LOG_LINE];
    static size_t length;
    const char *bytes = buffer;

    if (fd != 1 && fd != 2) {
        errno = EBADF;
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n') {
            line[length++] = bytes[i];
        }
        if (bytes[i] == '\n' || length == sizeof(line)) {
            leat_log("%.*s", (int)length, line);
            length = 0;
        }
    }
    return (int)size;
}

int read(int fd, void *buffer, size_t size)
{
    (void)fd;
    (void)buffer;
    (void)size;
    errno = EBADF;
    return -1;
}

int close(int fd)
{
    (void)fd;
    errno = EBADF;
    return -1;
}

off_t lseek(int fd, off_t offset, int whence)
{
    (void)fd;
    (void)offset;
    (void)whence;
    errno = ESPIPE;
    return -1;
}

int fstat(int fd, struct stat *status)
{
    (void)fd;
    memset(status, 0, sizeof(*status));
    status->st_mode = S_IFCHR; /* makes stdio write line by line */
    return 0;
}

int isatty(int fd)
{
    return fd == 1 || fd == 2;
}

pid_t getpid(void)
{
    return 1;
}

int kill(pid_t pid, int signal)
{
    (void)pid;
    _exit(128 + signal); /* only abort() and raise() come here */
}

void _exit(int code)
{
    for (;;) {
        leat_domain_kill(LEAT_SELF, code);
    }
}
