// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-storm: N clients, a thread each, all let go at once. Each does what a machine does that boots: with leatd hello,
 * boot profile and NBD over TLS by the token it got; with an URI the disk alone, by NBD or iSCSI. It reads the blocks of
 * a recorded boot (tests/bench/replay) as Leat streams a profile: in its order, 32 requests at a time.
 *
 *     leat-storm --clients N --trace FILE --leatd HOST:PORT --keys FILE [--plain HOST:PORT]
 *     leat-storm --clients N --trace FILE URI
 *
 * The keys are lines UUID:HEX. With --plain the disk is read there, without TLS, to compare with servers that have none.
 * Prints one line of JSON when all have their boot set, then keeps all connections until its standard input ends: so that
 * the server's memory for idle clients can be measured.
 */
#include "tests/bench/storm/storm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)
#define SECTOR_BYTES 512u

static struct storm storm;
static struct storm_client *clients;
static uint32_t client_count;
static double *seconds; /* of each client, from the start of all */
static pthread_barrier_t start;
static struct timespec began;

_Noreturn void storm_die(const struct storm_client *client, const char *what, const char *why)
{
    fprintf(stderr, "leat-storm: client %u: %s: %s\n", client ? client->number : 0, what, why);
    _Exit(1);
}

int storm_connect(const struct storm_client *client, const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct addrinfo *to;
    int one = 1;
    if (getaddrinfo(host, port, &hints, &to))
        storm_die(client, host, "no address");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, client->address, &from.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) ||
        connect(fd, to->ai_addr, to->ai_addrlen))
        storm_die(client, host, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    freeaddrinfo(to);
    return fd;
}

static struct storm_read *grown(struct storm_read *reads, uint32_t room)
{
    struct storm_read *more = realloc(reads, room * sizeof *reads);
    if (!more)
        storm_die(NULL, "the trace", "no memory");
    return more;
}

static void load(const char *path)
{
    static struct storm_read *reads;
    uint32_t room = 0;
    char line[256];
    FILE *f = fopen(path, "r");
    if (!f)
        storm_die(NULL, path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        unsigned long long offset, sectors;
        if (line[0] == '#')
            continue;
        if (sscanf(line, "%llu %llu", &offset, &sectors) != 2 || !sectors || sectors > 65536)
            storm_die(NULL, path, "not a boot trace");
        if (storm.count == room)
            reads = grown(reads, room = room * 2 + 1024);
        reads[storm.count++] =
            (struct storm_read){offset * SECTOR_BYTES, (uint32_t)sectors * SECTOR_BYTES};
    }
    fclose(f);
    storm.reads = reads;
}

static void load_keys(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        storm_die(NULL, path, strerror(errno));
    for (uint32_t i = 0; i < client_count; i++)
        if (fscanf(f, "%36[^:]:%64s\n", clients[i].uuid, clients[i].key) != 2)
            storm_die(&clients[i], path, "has no line UUID:HEX for it");
    fclose(f);
}

static bool is_iscsi(void)
{
    return storm.uri && !strncmp(storm.uri, "iscsi", 5);
}

static void *boot(void *argument)
{
    struct storm_client *client = argument;
    struct timespec now;
    for (uint32_t i = 0; i < STORM_IN_FLIGHT; i++)
        client->buffers[i] = malloc(32u << 20 >> 6); /* 512 KiB: more than any read of a boot */
    pthread_barrier_wait(&start);
    if (!storm.uri)
        storm_hello(client);
    if (is_iscsi())
        storm_iscsi_boot(&storm, client);
    else
        storm_nbd_boot(&storm, client);
    clock_gettime(CLOCK_MONOTONIC, &now);
    seconds[client->number] =
        (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
    for (uint32_t i = 0; i < STORM_IN_FLIGHT; i++)
        free(client->buffers[i]);
    return NULL;
}

static void run_all(void)
{
    pthread_t *threads = calloc(client_count, sizeof *threads);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    pthread_barrier_init(&start, NULL, client_count + 1);
    for (uint32_t i = 0; i < client_count; i++)
        if (!threads || pthread_create(&threads[i], &small, boot, &clients[i]))
            storm_die(&clients[i], "its thread", "cannot be made");
    clock_gettime(CLOCK_MONOTONIC, &began);
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < client_count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(void)
{
    uint64_t bytes = 0;
    struct rusage used;
    for (uint32_t i = 0; i < storm.count; i++)
        bytes += storm.reads[i].length;
    getrusage(RUSAGE_SELF, &used);
    qsort(seconds, client_count, sizeof *seconds, by_size);
    printf("{\"clients\": %u, \"reads\": %u, \"bytes\": %llu, \"first_s\": %.6f, \"median_s\": "
           "%.6f, \"last_s\": %.6f, "
           "\"cpu_s\": %.6f}\n",
           client_count, storm.count, (unsigned long long)bytes, seconds[0],
           seconds[client_count / 2], seconds[client_count - 1],
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}

static void make_clients(const char *leatd)
{
    clients = calloc(client_count, sizeof *clients);
    seconds = calloc(client_count, sizeof *seconds);
    if (!clients || !seconds)
        storm_die(NULL, "the clients", "no memory");
    for (uint32_t i = 0; i < client_count; i++) {
        struct storm_client *c = &clients[i];
        c->number = i;
        snprintf(c->address, sizeof c->address, "127.1.%u.%u", i / 250 % 250, i % 250 + 1);
        if (leatd && sscanf(leatd, "%63[^:]:%7s", c->host, c->port) != 2)
            storm_die(NULL, leatd, "not HOST:PORT");
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"clients", 1, NULL, 'c'}, {"trace", 1, NULL, 't'},
                                          {"leatd", 1, NULL, 'l'},   {"keys", 1, NULL, 'k'},
                                          {"plain", 1, NULL, 'p'},   {NULL, 0, NULL, 0}};
    const char *trace = NULL, *leatd = NULL, *keys = NULL;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'c')
            client_count = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o == 't')
            trace = optarg;
        else if (o == 'l')
            leatd = optarg;
        else if (o == 'k')
            keys = optarg;
        else if (o == 'p')
            storm.plain_disk = optarg;
        else
            return 2;
    }
    storm.uri = optind < argc ? argv[optind] : NULL;
    storm.psk_file = keys;
    if (!client_count || client_count > STORM_MAX_CLIENTS || !trace || !leatd != !keys ||
        !leatd == !storm.uri)
        storm_die(
            NULL, "usage",
            "--clients N --trace FILE (URI | --leatd HOST:PORT --keys FILE [--plain HOST:PORT])");
    load(trace);
    make_clients(leatd);
    if (keys)
        load_keys(keys);
    run_all();
    report();
    for (char c; read(STDIN_FILENO, &c, 1) > 0;)
        ;
    for (uint32_t i = 0; i < client_count; i++)
        (is_iscsi() ? storm_iscsi_close : storm_nbd_close)(&clients[i]);
    return 0;
}
