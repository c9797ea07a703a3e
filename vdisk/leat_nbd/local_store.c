// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/local_store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "vdisk/leat_nbd/store_file.h"

#define SECTOR_BYTES 4096u
#define PIECES 64u

static struct store_file *file;
static enum store_status opened_status;
static bool has_opened;

static _Noreturn void refuse(const char *path, const char *why, const char *advice)
{
    fprintf(stderr, "leat-nbd: store %s: %s%s\n", path, why, advice);
    exit(1);
}

static void opened(void *owner, enum store_status status)
{
    (void)owner;
    opened_status = status;
    has_opened = true;
}

static enum store_status wait_until_open(struct store *s)
{
    while (!has_opened) {
        uint64_t when = store_run(s);
        struct pollfd fd = {.fd = store_file_event(file), .events = POLLIN};
        if (!has_opened && when == UINT64_MAX)
            poll(&fd, 1, 1000);
        store_file_deliver(file);
    }
    return opened_status;
}

static struct store *start(const char *path, bool anew)
{
    const struct store_options options = {
        .range_bytes = store_file_bytes(file), .sector_bytes = SECTOR_BYTES, .pieces = PIECES};
    struct store *s = store_create(store_file_platform(file), &options);
    if (!s)
        refuse(path, "no memory for it, or it is empty: give its size, as in FILE:1G", "");
    has_opened = false;
    (anew ? store_format : store_open)(s, opened, NULL);
    return s;
}

struct store *local_store_open(const struct options *o)
{
    const char *path = o->store_path, *why;
    struct stat found;
    if (!path)
        return NULL;
    bool is_new = stat(path, &found) != 0 || (S_ISREG(found.st_mode) && found.st_size == 0);
    file = store_file_open(path, o->store_bytes, &why);
    if (!file)
        refuse(path, why, "");
    struct store *s = start(path, is_new || o->must_format);
    enum store_status status = wait_until_open(s);
    if (status == STORE_OK)
        return s;
    if (status == STORE_BLANK || status == STORE_FOREIGN)
        refuse(path, store_status_text(status), "; --store-format makes a new one");
    fprintf(stderr,
            "leat-nbd: store %s: %s: nothing is kept there; --store-format makes a new one\n", path,
            store_status_text(status));
    store_destroy(s);
    store_file_close(file);
    file = NULL;
    return NULL;
}

int local_store_event(void)
{
    return file ? store_file_event(file) : -1;
}

void local_store_deliver(void)
{
    if (file)
        store_file_deliver(file);
}
