// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4u
#define SECOND_NS 1000000000ull

struct store_file {
    struct store_platform platform;
    int fd, event;
    uint64_t bytes;
    pthread_t threads[THREADS];
    unsigned thread_count;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    struct list waiting, ended; /* struct store_io */
    bool is_closing;
};

/* An ended command's result travels in `length`, which the store does not look at again. */
#define RESULT_OK 1u

static bool transfer(int fd, const struct store_io *io)
{
    for (uint32_t at = 0; at < io->length;) {
        uint8_t *data = io->data + at;
        off_t offset = (off_t)(io->offset + at);
        ssize_t n = io->type == STORE_IO_READ ? pread(fd, data, io->length - at, offset)
                                              : pwrite(fd, data, io->length - at, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (uint32_t)n;
    }
    return true;
}

static void *work(void *argument)
{
    struct store_file *f = argument;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (list_is_empty(&f->waiting) && !f->is_closing)
            pthread_cond_wait(&f->work, &f->lock);
        struct list *node = list_pop(&f->waiting);
        if (!node)
            break;
        pthread_mutex_unlock(&f->lock);
        struct store_io *io = LIST_ENTRY(node, struct store_io, node);
        bool is_ok = io->type == STORE_IO_FLUSH ? fdatasync(f->fd) == 0 : transfer(f->fd, io);
        pthread_mutex_lock(&f->lock);
        io->length = is_ok ? RESULT_OK : 0;
        list_push_back(&f->ended, &io->node);
        (void)eventfd_write(f->event, 1); /* cannot fail: the counter never gets near its limit */
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void submit(void *ctx, struct store_io *io)
{
    struct store_file *f = ctx;
    pthread_mutex_lock(&f->lock);
    list_push_back(&f->waiting, &io->node);
    pthread_cond_signal(&f->work);
    pthread_mutex_unlock(&f->lock);
}

void store_file_deliver(struct store_file *f)
{
    struct list *node;
    eventfd_t count;
    (void)eventfd_read(f->event, &count); /* nothing there: nothing to clear */
    for (;;) {
        pthread_mutex_lock(&f->lock);
        node = list_pop(&f->ended);
        pthread_mutex_unlock(&f->lock);
        if (!node)
            return;
        struct store_io *io = LIST_ENTRY(node, struct store_io, node);
        io->done(io, io->length == RESULT_OK);
    }
}

static uint64_t now_ns(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static uint64_t random_bits(void *ctx)
{
    uint64_t value;
    (void)ctx;
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        abort(); /* not for 8 bytes, after the system has started: getrandom(2) */
    return value;
}

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static const char *say(const char *path, const char *what)
{
    static char line[300];
    snprintf(line, sizeof line, "store file '%s': %s", path, what);
    return line;
}

/* NULL, or why not. */
static const char *open_file(struct store_file *f, const char *path, uint64_t size_bytes)
{
    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return say(path, strerror(errno));
    if (flock(f->fd, LOCK_EX | LOCK_NB))
        return say(path, "another process uses it");
    off_t size = lseek(f->fd, 0, SEEK_END);
    if (size < 0)
        return say(path, strerror(errno));
    if ((uint64_t)size < size_bytes) {
        if (ftruncate(f->fd, (off_t)size_bytes))
            return say(path, strerror(errno));
        size = (off_t)size_bytes;
    }
    f->bytes = (uint64_t)size;
    f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return f->event < 0 ? say(path, strerror(errno)) : NULL;
}

struct store_file *store_file_open(const char *path, uint64_t size_bytes, const char **why)
{
    struct store_file *f = calloc(1, sizeof *f);
    *why = f ? NULL : say(path, "no memory");
    if (!f)
        return NULL;
    f->fd = f->event = -1;
    f->platform = (struct store_platform){f, now_ns, random_bits, submit, log_line};
    list_init(&f->waiting);
    list_init(&f->ended);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work, NULL);
    *why = open_file(f, path, size_bytes);
    while (!*why && f->thread_count < THREADS) {
        if (pthread_create(&f->threads[f->thread_count], NULL, work, f))
            *why = say(path, "no thread can be made");
        else
            f->thread_count++;
    }
    if (!*why)
        return f;
    store_file_close(f);
    return NULL;
}

void store_file_close(struct store_file *f)
{
    pthread_mutex_lock(&f->lock);
    f->is_closing = true;
    pthread_cond_broadcast(&f->work);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < f->thread_count; i++)
        pthread_join(f->threads[i], NULL);
    if (f->fd >= 0)
        close(f->fd);
    if (f->event >= 0)
        close(f->event);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->work);
    free(f);
}

uint64_t store_file_bytes(const struct store_file *f)
{
    return f->bytes;
}

const struct store_platform *store_file_platform(struct store_file *f)
{
    return &f->platform;
}

int store_file_event(const struct store_file *f)
{
    return f->event;
}
