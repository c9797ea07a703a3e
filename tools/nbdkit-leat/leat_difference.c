// SPDX-License-Identifier: BSD-2-Clause
/* leat-difference: what is done to differences that nobody has open. docs/nbdkit-leat.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nbdkit-leat/merge.h"

#define BLOCK_BYTES 4096u

static const char usage[] =
    "leat-difference create FILE IMAGE-NAME BYTES   an empty one\n"
    "leat-difference info FILE                      what it is, as JSON\n"
    "leat-difference check FILE                     the same, and 1 if it is damaged; mends what a "
    "crash has cut\n"
    "leat-difference reset FILE                     drops what was written\n"
    "leat-difference merge FILE IMAGE raw|qcow2 NEW a raw image of the image and the difference "
    "over it\n";

static char error[DIFF_ERROR];

static int nothing(void *context, void *to, size_t count, uint64_t offset)
{
    (void)context, (void)offset;
    memset(to, 0, count);
    return 0;
}

struct opened {
    struct diff_file file;
    struct difference *difference;
};

static bool open_it(struct opened *o, const char *path, bool writable)
{
    struct diff_below below = {.read = nothing};
    struct diff_options options = {.writable = writable};
    if (diff_file_open(&o->file, path, writable, error))
        return false;
    struct diff_device device = diff_file_device(&o->file);
    /* The device names the file: it must stay where it is. */
    if (!difference_open(&o->difference, &device, &below, &options, error))
        return true;
    diff_file_close(&o->file);
    return false;
}

static bool close_it(struct opened *o)
{
    bool closed = !difference_close(o->difference);
    diff_file_close(&o->file);
    if (!closed)
        snprintf(error, sizeof error, "the difference could not be closed; check its disk");
    return closed;
}

static int create(char **arguments)
{
    char *end;
    uint64_t size = strtoull(arguments[2], &end, 10);
    struct diff_file file;
    if (*end ||
        diff_file_create(&file, arguments[0], false, arguments[1], size, BLOCK_BYTES, error)) {
        if (*end)
            snprintf(error, sizeof error, "%.40s is no number of bytes", arguments[2]);
        return 2;
    }
    diff_file_close(&file);
    return 0;
}

static int reset(char **arguments)
{
    struct opened o;
    struct diff_file file;
    if (!open_it(&o, arguments[0], false))
        return 2;
    struct diff_header header = *difference_header(o.difference);
    if (!close_it(&o) || diff_file_create(&file, arguments[0], true, header.image,
                                          header.image_size, header.block_size, error))
        return 2;
    diff_file_close(&file);
    return 0;
}

/* The image's name in JSON; it is printable ASCII. */
static void print_name(const char *name)
{
    for (; *name; name++)
        printf(*name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
}

static void print_info(const struct diff_header *h, const struct diff_map_look *look, int64_t used)
{
    printf("{\"image\": \"");
    print_name(h->image);
    printf("\", \"size\": %" PRIu64 ", \"block\": %" PRIu32 ", \"created\": %" PRIu64
           ", \"closed\": %s, \"data\": %" PRIu64 ", \"zero\": %" PRIu64 ", \"used\": %" PRId64
           ", \"damaged_pages\": %" PRIu64 "}\n",
           h->image_size, h->block_size, h->created, h->flags & DIFF_FLAG_OPEN ? "false" : "true",
           look->data * h->block_size, look->zero * h->block_size, used, look->damaged);
}

/* With mend it is opened for writing, which puts in order what a crash has left. */
static int look_at(char **arguments, bool mend)
{
    struct opened o;
    struct diff_map_look look = {0};
    if (!open_it(&o, arguments[0], false))
        return 2;
    struct diff_header header = *difference_header(o.difference);
    if (mend && (!close_it(&o) || !open_it(&o, arguments[0], true)))
        return 2;
    int number = difference_look(o.difference, &look);
    struct diff_device device = diff_file_device(&o.file);
    if (number)
        snprintf(error, sizeof error, "the difference cannot be read: %s", strerror(-number));
    else
        print_info(&header, &look, device.used(device.context));
    bool closed = close_it(&o);
    return number || !closed ? 2 : look.damaged ? 1 : 0;
}

static int info(char **arguments)
{
    return look_at(arguments, false) == 2 ? 2 : 0;
}

static int check(char **arguments)
{
    return look_at(arguments, true);
}

static int merge(char **arguments)
{
    struct opened o;
    struct disk disk;
    struct grant grant = {.mode = GRANT_PRIVATE, .read_only = true};
    bool fits = strlen(arguments[0]) < GRANT_PATH && strlen(arguments[1]) < GRANT_PATH;
    bool is_qcow2 = !strcmp(arguments[2], "qcow2");
    if (!fits || (!is_qcow2 && strcmp(arguments[2], "raw"))) {
        snprintf(error, sizeof error, "an image is raw or qcow2, and a path has less than %u bytes",
                 GRANT_PATH);
        return 2;
    }
    if (!open_it(&o, arguments[0], false))
        return 2;
    grant.size = difference_header(o.difference)->image_size;
    close_it(&o);
    strcpy(grant.difference, arguments[0]);
    strcpy(grant.image, arguments[1]);
    grant.format = is_qcow2 ? GRANT_QCOW2 : GRANT_RAW;
    grant.is_uri = strstr(grant.image, "://") != NULL;
    if (disk_open(&disk, &grant, 0, error))
        return 2;
    int number = merge_to(&disk, arguments[3], error);
    disk_close(&disk);
    return number ? 2 : 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **arguments);
    } commands[] = {{"create", 3, create},
                    {"info", 1, info},
                    {"check", 1, check},
                    {"reset", 1, reset},
                    {"merge", 4, merge}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].arguments) {
            int status = commands[i].run(argv + 2);
            if (status == 2)
                fprintf(stderr, "leat-difference: %s\n", error);
            return status;
        }
    bool asked = argc == 2 && !strcmp(argv[1], "--help");
    fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : 2;
}
