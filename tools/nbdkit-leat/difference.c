// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/diff_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(char error[DIFF_ERROR], int number, const char *text)
{
    snprintf(error, DIFF_ERROR, "%s", text);
    return number;
}

static int put_header(const struct diff_device *device, const struct diff_header *header,
                      unsigned copy)
{
    uint8_t page[DIFF_PAGE];
    diff_header_put(page, header);
    int error = device->write(device->context, page, sizeof page, copy * (uint64_t)DIFF_PAGE);
    return error ? error : device->sync(device->context);
}

int difference_create(const struct diff_device *device, const char *image, uint64_t image_size,
                      uint32_t block_size, uint64_t id, uint64_t created, char error[DIFF_ERROR])
{
    struct diff_header header = {.sequence = 1,
                                 .id = id,
                                 .image_size = image_size,
                                 .block_size = block_size,
                                 .created = created},
                       back;
    uint8_t page[DIFF_PAGE];
    uint32_t version;
    if (strlen(image) >= DIFF_IMAGE_NAME)
        return say(error, -EINVAL, "the image's name has more than 255 bytes");
    if (block_size < DIFF_BLOCK_MIN || block_size > DIFF_BLOCK_MAX)
        return say(error, -EINVAL, "the block size is 4096 to 65536 bytes");
    memcpy(header.image, image, strlen(image));
    header.data_at = diff_data_at(image_size, block_size);
    diff_header_put(page, &header);
    if (diff_header_get(page, &back, &version) != DIFF_COPY_GOOD)
        return say(error, -EINVAL,
                   "a difference has a size of 1 byte to 64 TiB, blocks of a power of two, "
                   "and an image whose name is printable ASCII");
    int number = put_header(device, &header, 0);
    if (!number)
        number = put_header(device, &header, 1);
    return number ? say(error, number, "the difference could not be written") : 0;
}

/* The newer one of the two headers that are whole. */
static int get_header(struct difference *d, char error[DIFF_ERROR])
{
    uint8_t pages[2][DIFF_PAGE];
    struct diff_header headers[2];
    uint32_t versions[2];
    enum diff_copy kinds[2];
    int number = d->device.read(d->device.context, pages, sizeof pages, 0);
    if (number)
        return say(error, number, "the difference cannot be read");
    for (unsigned i = 0; i < 2; i++)
        kinds[i] = diff_header_get(pages[i], &headers[i], &versions[i]);
    if (kinds[0] != DIFF_COPY_GOOD && kinds[1] != DIFF_COPY_GOOD) {
        if (versions[0] > DIFF_VERSION || versions[1] > DIFF_VERSION)
            return say(error, -EINVAL, "the difference has a newer format; use a newer Leat");
        return say(error, -EINVAL,
                   "this is no difference file, or both copies of its header are damaged");
    }
    d->header_copy = kinds[0] != DIFF_COPY_GOOD ||
                     (kinds[1] == DIFF_COPY_GOOD && headers[1].sequence > headers[0].sequence);
    d->header = headers[d->header_copy];
    return 0;
}

static int compare(const struct diff_header *h, const struct diff_options *o,
                   char error[DIFF_ERROR])
{
    if (o->image && strcmp(o->image, h->image)) {
        snprintf(error, DIFF_ERROR, "the difference belongs to image '%.80s', not to '%.80s'",
                 h->image, o->image);
        return -EINVAL;
    }
    if (o->image_size && o->image_size != h->image_size) {
        snprintf(error, DIFF_ERROR,
                 "the difference belongs to an image of %" PRIu64 " bytes, not of %" PRIu64,
                 h->image_size, o->image_size);
        return -EINVAL;
    }
    return 0;
}

/* Says in the header that somebody writes, or does not any more. */
static int mark(struct difference *d, uint32_t flags)
{
    struct diff_header header = d->header;
    header.sequence++;
    header.flags = flags;
    int error = put_header(&d->device, &header, d->header_copy ^ 1);
    if (error)
        return error;
    d->header = header;
    d->header_copy ^= 1;
    return 0;
}

static int start_writing(struct difference *d, bool was_cut, char error[DIFF_ERROR])
{
    struct diff_map_look look;
    int number = was_cut ? diff_map_look(&d->map, true, &look) : 0;
    if (number)
        return say(error, number,
                   "what a crash has left of the difference could not be put in order");
    d->map.was_cut = false;
    number = mark(d, DIFF_FLAG_OPEN);
    return number ? say(error, number, "the difference's header could not be written") : 0;
}

int difference_open(struct difference **out, const struct diff_device *device,
                    const struct diff_below *below, const struct diff_options *options,
                    char error[DIFF_ERROR])
{
    struct difference *d = calloc(1, sizeof *d);
    if (!d)
        return say(error, -ENOMEM, "there is no memory for the difference");
    d->device = *device;
    d->below = *below;
    d->is_writable = options->writable;
    d->limit = options->limit;
    int number = get_header(d, error);
    if (!number)
        number = compare(&d->header, options, error);
    if (number) {
        free(d);
        return number;
    }
    bool was_cut = d->header.flags & DIFF_FLAG_OPEN;
    diff_map_init(&d->map, device, d->header.id,
                  diff_blocks(d->header.image_size, d->header.block_size), was_cut);
    ranges_init(&d->writing);
    pthread_mutex_init(&d->flush_lock, NULL);
    pthread_cond_init(&d->flushed, NULL);
    if (d->is_writable && (number = start_writing(d, was_cut, error))) {
        d->is_writable = false; /* nothing more is written while it is closed */
        difference_close(d);
        return number;
    }
    *out = d;
    return 0;
}

int difference_close(struct difference *d)
{
    int error = 0;
    if (d->is_writable) {
        error = difference_flush(d);
        if (!error)
            error = mark(d, 0);
    }
    pthread_cond_destroy(&d->flushed);
    pthread_mutex_destroy(&d->flush_lock);
    ranges_free(&d->writing);
    diff_map_free(&d->map);
    free(d);
    return error;
}

const struct diff_header *difference_header(const struct difference *d)
{
    return &d->header;
}

int difference_look(struct difference *d, struct diff_map_look *look)
{
    return diff_map_look(&d->map, false, look);
}

int difference_flush(struct difference *d)
{
    pthread_mutex_lock(&d->flush_lock);
    uint64_t mine = d->begun + 1; /* one that has begun already may have missed our writes */
    while (d->is_flushing && d->ended < mine)
        pthread_cond_wait(&d->flushed, &d->flush_lock);
    if (d->ended < mine) {
        d->begun++;
        d->is_flushing = true;
        pthread_mutex_unlock(&d->flush_lock);
        if (!atomic_load(&d->is_spoilt) && diff_map_commit(&d->map))
            atomic_store(&d->is_spoilt, true);
        pthread_mutex_lock(&d->flush_lock);
        d->is_flushing = false;
        d->ended = d->begun;
        pthread_cond_broadcast(&d->flushed);
    }
    pthread_mutex_unlock(&d->flush_lock);
    return atomic_load(&d->is_spoilt) ? -EIO : 0;
}
