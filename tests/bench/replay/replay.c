// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-replay: plays a boot trace (trace-from-log says what one is) against an NBD server as the guest
 * would: a read is asked for as soon as the earlier ones that it waited for are answered, and its
 * think time is over. What this takes longer than the think times is the guest's stall.
 *
 * Prints one line of JSON. With --verify IMAGE every byte is compared with the image's, with --pattern
 * with what nbdkit's pattern plugin makes: each 8 bytes are their own offset, big-endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libnbd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define SECTOR_BYTES 512u
#define MAX_FLYING 16

struct read {
    uint64_t offset, think_ns, issued_ns, done_ns;
    uint32_t length, flying[MAX_FLYING], flying_count;
    bool is_done;
    uint8_t *data;
};

static struct read *reads;
static uint32_t count, answered_before; /* every read before that index is answered */
static uint64_t last_done_ns;
static double think_scale = 1;
static int image = -1;
static bool is_pattern;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "leat-replay: %s: %s\n", what, why);
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static bool parse_line(const char *line, struct read *r)
{
    unsigned long long offset, sectors, think;
    int at;
    if (sscanf(line, "%llu %llu %llu %n", &offset, &sectors, &think, &at) < 3 || !sectors ||
        sectors > (32u << 20) / SECTOR_BYTES)
        return false;
    *r = (struct read){.offset = offset * SECTOR_BYTES,
                       .length = (uint32_t)(sectors * SECTOR_BYTES),
                       .think_ns = (uint64_t)((double)think * 1000 * think_scale)};
    for (const char *p = line + at; *p && *p != '-' && *p != '\n'; p++) {
        char *end;
        r->flying[r->flying_count++] = (uint32_t)strtoul(p, &end, 10);
        if (end == p || r->flying_count == MAX_FLYING)
            return false;
        p = end;
        if (*p != ',')
            break;
    }
    return true;
}

static void load(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256];
    uint32_t room = 0;
    if (!f)
        die(path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        if (count == room) {
            room = room * 2 + 1024;
            reads = realloc(reads, room * sizeof *reads);
            if (!reads)
                die(path, "no memory");
        }
        if (line[0] == '#')
            continue;
        if (!parse_line(line, &reads[count]))
            die(path, "not a boot trace");
        count++;
    }
    fclose(f);
}

static void wrong(const struct read *r)
{
    fprintf(stderr, "leat-replay: %u bytes at %llu are not the image's\n", r->length,
            (unsigned long long)r->offset);
    exit(3);
}

static void check_pattern(const struct read *r)
{
    for (uint32_t i = 0; i < r->length; i++)
        if (r->data[i] != (uint8_t)((r->offset + i / 8 * 8) >> (56 - i % 8 * 8)))
            wrong(r);
}

static void check(const struct read *r)
{
    if (is_pattern)
        check_pattern(r);
    if (image < 0)
        return;
    uint8_t *expected = malloc(r->length);
    if (!expected || pread(image, expected, r->length, (off_t)r->offset) != (ssize_t)r->length)
        die("the image", "cannot be read");
    if (memcmp(expected, r->data, r->length))
        wrong(r);
    free(expected);
}

static int on_done(void *user, int *error)
{
    struct read *r = user;
    if (*error)
        die("read", strerror(*error));
    r->done_ns = last_done_ns = clock_ns();
    r->is_done = true;
    check(r);
    free(r->data);
    return 1; /* the command is retired */
}

/* May read i be asked for? Everything before it is answered, but what was in flight beside it. */
static bool is_free(uint32_t i)
{
    while (answered_before < count && reads[answered_before].is_done)
        answered_before++;
    for (uint32_t k = answered_before; k < i; k++) {
        bool may_fly = false;
        for (uint32_t n = 0; n < reads[i].flying_count; n++)
            may_fly |= reads[i].flying[n] == i - k;
        if (!reads[k].is_done && !may_fly)
            return false;
    }
    return true;
}

/* Waits until the time, or for the next event of the connection. */
static void wait_until(struct nbd_handle *nbd, uint64_t when)
{
    uint64_t now_ns = clock_ns();
    unsigned direction = nbd_aio_get_direction(nbd);
    struct pollfd fd = {.fd = nbd_aio_get_fd(nbd), .events = POLLIN};
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        fd.events |= POLLOUT;
    uint64_t left = when > now_ns ? when - now_ns : 0;
    struct timespec limit = {(time_t)(left / SECOND_NS), (long)(left % SECOND_NS)};
    if (ppoll(&fd, 1, when == UINT64_MAX ? NULL : &limit, NULL) <= 0)
        return;
    int bad = 0;
    if ((fd.revents & (POLLIN | POLLHUP | POLLERR)) && (direction & LIBNBD_AIO_DIRECTION_READ))
        bad = nbd_aio_notify_read(nbd);
    else if ((fd.revents & POLLOUT) && (direction & LIBNBD_AIO_DIRECTION_WRITE))
        bad = nbd_aio_notify_write(nbd);
    if (bad || nbd_aio_is_dead(nbd) || nbd_aio_is_closed(nbd))
        die("the server", bad ? nbd_get_error() : "it ended the connection");
}

static void issue(struct nbd_handle *nbd, struct read *r)
{
    nbd_completion_callback done = {.callback = on_done, .user_data = r};
    r->data = malloc(r->length);
    r->issued_ns = clock_ns();
    if (!r->data || nbd_aio_pread(nbd, r->data, r->length, r->offset, done, 0) < 0)
        die("read", nbd_get_error());
}

/* Returns when the first read was asked for. */
static uint64_t play(struct nbd_handle *nbd, uint64_t *end)
{
    uint64_t start = clock_ns(), before = start;
    last_done_ns = start;
    for (uint32_t i = 0; i < count; i++) {
        while (!is_free(i))
            wait_until(nbd, UINT64_MAX);
        uint64_t could = last_done_ns > before ? last_done_ns : before;
        if (reads[i].flying_count)
            could = before;
        while (clock_ns() < could + reads[i].think_ns)
            wait_until(nbd, could + reads[i].think_ns);
        issue(nbd, &reads[i]);
        before = reads[i].issued_ns;
    }
    while (!is_free(count))
        wait_until(nbd, UINT64_MAX);
    *end = last_done_ns;
    return start;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(uint64_t start, uint64_t end)
{
    uint64_t think = 0, bytes = 0, waits = 0;
    uint64_t *times = malloc((count + 1) * sizeof *times);
    if (!times)
        die("report", "no memory");
    for (uint32_t i = 0; i < count; i++) {
        think += reads[i].think_ns;
        bytes += reads[i].length;
        times[i] = reads[i].done_ns - reads[i].issued_ns;
        waits += times[i];
    }
    qsort(times, count, sizeof *times, by_size);
    printf(
        "{\"reads\": %u, \"bytes\": %llu, \"elapsed_s\": %.6f, \"think_s\": %.6f, \"stall_s\": "
        "%.6f, \"waits_s\": %.6f, \"median_us\": %.1f, \"p99_us\": %.1f, \"longest_us\": %.1f}\n",
        count, (unsigned long long)bytes, (double)(end - start) / 1e9, (double)think / 1e9,
        (double)(end - start - think) / 1e9, (double)waits / 1e9, (double)times[count / 2] / 1e3,
        (double)times[(uint64_t)count * 99 / 100] / 1e3, (double)times[count - 1] / 1e3);
    free(times);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"think", 1, NULL, 't'},
                                            {"verify", 1, NULL, 'v'},
                                            {"pattern", 0, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 't')
            think_scale = atof(optarg);
        else if (c == 'v' && (image = open(optarg, O_RDONLY | O_CLOEXEC)) < 0)
            die(optarg, strerror(errno));
        else if (c == 'p')
            is_pattern = true;
        else if (c == '?')
            argc = 0;
    }
    if (optind + 2 != argc) {
        fputs("usage: leat-replay [--think SCALE] [--verify IMAGE | --pattern] TRACE NBD-URI\n",
              stderr);
        return 2;
    }
    load(argv[optind]);
    struct nbd_handle *nbd = nbd_create();
    /* qemu-nbd asks its own server for holes before each structured reply: a second round trip, which a
     * guest's disk in QEMU does not have. */
    if (nbd)
        nbd_set_request_structured_replies(nbd, false);
    if (!count || !nbd || nbd_connect_uri(nbd, argv[optind + 1]))
        die(argv[optind + 1], count ? nbd_get_error() : "the trace is empty");
    prctl(PR_SET_TIMERSLACK, 1000ul);
    uint64_t end, start = play(nbd, &end);
    report(start, end);
    nbd_shutdown(nbd, 0);
    nbd_close(nbd);
    free(reads);
    return 0;
}
