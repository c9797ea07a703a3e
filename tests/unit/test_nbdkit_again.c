// SPDX-License-Identifier: BSD-2-Clause
/* How often an image's server is connected to again. The test plays one that shakes hands well, and then hangs up or says
   nothing. */
#include <endian.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/image.h"
#include "tools/nbdkit-leat/image_wait.h"

#define SIZE 4096u
#define PAUSE_MS 250 /* at least, between two connections */
#define ENOUGH 6u
#define WAIT_MS 60000 /* for what has to come */

/* NBD proto.md, "Fixed newstyle negotiation", and "Option types" */
#define FIXED_NEWSTYLE 1u
#define OPT_GO 7u
#define REP_ACK 1u
#define REP_INFO 3u
#define REP_ERR_UNSUP 0x80000001u
#define INFO_EXPORT 0u

struct greeting {
    char magic[8], option_magic[8];
    uint16_t flags;
} __attribute__((packed));

struct option {
    char magic[8];
    uint32_t number, length;
} __attribute__((packed));

struct reply {
    uint64_t magic;
    uint32_t option, type, length;
} __attribute__((packed));

struct export_info {
    uint16_t type;
    uint64_t size;
    uint16_t flags;
} __attribute__((packed));

static char folder[] = "again.XXXXXX", path[64], uri[128];
static int listener;
static atomic_uint connections;
static atomic_bool hangs_up;

static void put(int fd, const void *data, size_t size)
{
    send(fd, data, size, MSG_NOSIGNAL);
}

static bool get(int fd, void *data, size_t size)
{
    return !size || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void reply(int fd, const struct option *option, uint32_t type, uint32_t length)
{
    struct reply reply = {htobe64(0x3e889045565a9), option->number, htobe32(type), htobe32(length)};
    put(fd, &reply, sizeof reply);
}

static void export(int fd, const struct option *option)
{
    struct export_info info = {htobe16(INFO_EXPORT), htobe64(SIZE), htobe16(1)};
    reply(fd, option, REP_INFO, sizeof info);
    put(fd, &info, sizeof info);
    reply(fd, option, REP_ACK, 0);
}

static void shake_hands(int fd)
{
    struct greeting greeting = {"NBDMAGIC", "IHAVEOPT", htobe16(FIXED_NEWSTYLE)};
    struct option option;
    uint32_t flags;
    char data[1024];
    put(fd, &greeting, sizeof greeting);
    if (!get(fd, &flags, sizeof flags))
        return;
    while (get(fd, &option, sizeof option) && be32toh(option.length) <= sizeof data &&
           get(fd, data, be32toh(option.length))) {
        if (be32toh(option.number) == OPT_GO) {
            export(fd, &option);
            return;
        }
        reply(fd, &option, REP_ERR_UNSUP, 0);
    }
}

static void *serve(void *unused)
{
    char request[1024];
    (void)unused;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        connections++;
        shake_hands(fd);
        while (!hangs_up && recv(fd, request, sizeof request, 0) > 0)
            continue;
    }
    return NULL;
}

static void wait_for(unsigned count)
{
    for (unsigned i = 0; i < WAIT_MS && connections < count; i++)
        usleep(1000);
    assert_true(connections >= count);
}

static struct image *open_image(void)
{
    char error[IMAGE_ERROR];
    struct image *image = image_open(uri, true, GRANT_RAW, error);
    if (!image)
        fail_msg("%s", error);
    assert_int_equal(image->size, SIZE);
    return image;
}

/* One more than there are pauses in the time. */
static void not_without_a_pause(void **state)
{
    (void)state;
    hangs_up = true;
    connections = 0;
    int64_t begun = image_clock();
    struct image *image = open_image();
    wait_for(ENOUGH);
    unsigned count = connections;
    assert_in_range(count, 0, (image_clock() - begun) / PAUSE_MS + 1);
    image_release(image);
}

/* The server takes one after the other, so none is on its way behind that of the test's. */
static void not_when_it_is_closed(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    hangs_up = false;
    connections = 0;
    image_release(open_image());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    shutdown(fd, SHUT_WR);
    char last[1024];
    while (recv(fd, last, sizeof last, 0) > 0)
        continue;
    close(fd);
    assert_int_equal(connections, 2);
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/server", folder);
    snprintf(uri, sizeof uri, "nbd+unix:///?socket=%s", path);
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    return pthread_detach(thread);
}

static int end(void **state)
{
    (void)state;
    shutdown(listener, SHUT_RDWR);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_when_it_is_closed),
                                       cmocka_unit_test(not_without_a_pause)};
    return cmocka_run_group_tests(tests, begin, end);
}
