// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/image.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tools/nbdkit-leat/image_wait.h"

/* One that is being opened: whoever wants the same waits, and nobody else. When it cannot be, it cannot be for all of them:
   a server that does not answer is not waited for by one after the other. One that was given up because it is of no use any
   more to whoever began it has not failed: another one begins anew. */
struct opening {
    const char *name;
    enum grant_format format;
    unsigned waiting;
    bool is_over, has_failed;
    char error[IMAGE_ERROR];
    struct opening *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static struct image *images;
static struct opening *openings;

static struct image *find(const char *name, enum grant_format format)
{
    for (struct image *i = images; i; i = i->next)
        if (i->format == format && !strcmp(i->name, name))
            return i;
    return NULL;
}

static struct opening *find_opening(const char *name, enum grant_format format)
{
    struct opening *o = openings;
    while (o && (o->format != format || strcmp(o->name, name)))
        o = o->next;
    return o;
}

static void add(struct image *image, const char *name, enum grant_format format)
{
    strcpy(image->name, name);
    image->format = format;
    image->users = 1;
    image->next = images;
    images = image;
}

/* With the lock, which is let go meanwhile. */
static struct image *open_new(const char *name, bool is_uri, enum grant_format format,
                              char error[IMAGE_ERROR])
{
    struct opening mine = {.name = name, .format = format, .next = openings}, **at = &openings;
    openings = &mine;
    pthread_mutex_unlock(&lock);
    bool is_raw = !is_uri && format == GRANT_RAW, is_vain = false;
    struct image *image = is_raw ? image_raw_open(name, mine.error)
                                 : image_nbd_open(name, is_uri, format, mine.error, &is_vain);
    pthread_mutex_lock(&lock);
    while (*at != &mine)
        at = &(*at)->next;
    *at = mine.next;
    if (image)
        add(image, name, format);
    else
        memcpy(error, mine.error, IMAGE_ERROR);
    mine.is_over = true;
    mine.has_failed = !image && !is_vain;
    pthread_cond_broadcast(&opened);
    while (mine.waiting)
        pthread_cond_wait(&opened, &lock);
    return image;
}

/* With the lock, which is let go meanwhile. False: it has failed, or has been waited for too long or in vain. */
static bool await(struct opening *other, struct image_wait *wait, char error[IMAGE_ERROR])
{
    int number = 0;
    other->waiting++;
    while (!other->is_over && !number)
        number = image_wait_more(wait, 0, &opened, &lock);
    bool has_failed = other->has_failed;
    if (has_failed)
        memcpy(error, other->error, IMAGE_ERROR);
    else if (number)
        snprintf(error, IMAGE_ERROR, "the image cannot be reached: %s",
                 number == -EIO ? "its server does not answer" : "it is not waited for any more");
    if (!--other->waiting)
        pthread_cond_broadcast(&opened);
    return !has_failed && !number;
}

struct image *image_open(const char *name, bool is_uri, enum grant_format format,
                         char error[IMAGE_ERROR])
{
    struct image *image;
    struct opening *other = NULL;
    struct image_wait wait = image_wait_begin();
    bool goes_on = true;
    pthread_mutex_lock(&lock);
    while (!(image = find(name, format)) && (other = find_opening(name, format)) && goes_on)
        goes_on = await(other, &wait, error);
    if (image)
        image->users++;
    else if (goes_on)
        image = open_new(name, is_uri, format, error);
    pthread_mutex_unlock(&lock);
    return image;
}

void image_release(struct image *image)
{
    pthread_mutex_lock(&lock);
    bool is_last = !--image->users;
    if (is_last) {
        struct image **at = &images;
        while (*at != image)
            at = &(*at)->next;
        *at = image->next;
    }
    pthread_mutex_unlock(&lock);
    if (is_last)
        image->ops->close(image);
}

/* How much of a range lies in front of the image's end. */
static uint64_t inside(const struct image *image, uint64_t count, uint64_t offset)
{
    if (offset >= image->size)
        return 0;
    return count < image->size - offset ? count : image->size - offset;
}

int image_read(struct image *image, void *to, size_t count, uint64_t offset)
{
    size_t there = image ? (size_t)inside(image, count, offset) : 0;
    if (there < count)
        memset((char *)to + there, 0, count - there);
    return there ? image->ops->read(image, to, there, offset) : 0;
}

int image_extent(struct image *image, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                 uint64_t *end)
{
    uint64_t there = image ? inside(image, count, offset) : 0;
    *hole = *zero = true;
    *end = offset + count;
    return there ? image->ops->extent(image, there, offset, hole, zero, end) : 0;
}
