// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-storm: N clients, a thread each, all let go at once. Each does what a machine does that boots: with leatd hello,
 * its choice, the boot profile, and NBD over TLS by the token it got; else the disk alone, by NBD or iSCSI. It reads the blocks
 * of a recorded boot (tests/bench/replay) as Leat streams a profile: in its order, 32 requests at a time. NBD is the same for
 * all: the same code (storm_nbd.c), the same socket, the client's own address and, over TLS, its own key.
 *
 *     leat-storm --clients N --trace FILE --leatd HOST:PORT --keys FILE    the disk as leatd says, over TLS
 *     ... --leatd HOST:PORT --keys FILE --nbd HOST:PORT                    the disk there, without TLS
 *     ... --nbd HOST:PORT [--keys FILE]                                    NBD alone; over TLS with keys
 *     ... --iscsi iscsi://HOST:PORT/TARGET/LUN
 *
 * The keys are lines UUID:HEX. --first N: the clients are those from line N on, so that storms of few do not always have the
 * same ones, whom leatd would tell to wait. Prints one line of JSON when all have their boot set, then keeps all connections
 * until its standard input ends: so that the server's memory for idle clients can be measured.
 */
#include "tests/bench/storm/storm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)
#define SECTOR_BYTES 512u

static struct storm storm;
static struct storm_client *clients;
static uint32_t client_count, first_client;
static pthread_barrier_t start;
static struct timespec began;

_Noreturn void storm_die(const struct storm_client *client, const char *what, const char *why)
{
    fprintf(stderr, "leat-storm: client %u: %s: %s\n", client ? client->number : 0, what, why);
    _Exit(1);
}

void storm_split(const char *address, char host[64], char port[8])
{
    if (sscanf(address, "%63[^:]:%7s", host, port) != 2)
        storm_die(NULL, address, "not HOST:PORT");
}

int storm_connect(const struct storm_client *client, const char *host, const char *port)
{
    struct sockaddr_in from = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        storm_die(client, host, "not a numeric address");
    inet_pton(AF_INET, client->address, &from.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) ||
        connect(fd, (struct sockaddr *)&to, sizeof to))
        storm_die(client, host, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
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
    for (uint32_t i = 0; i < first_client; i++)
        fscanf(f, "%*[^\n]\n");
    for (uint32_t i = 0; i < client_count; i++)
        if (fscanf(f, "%36[^:]:%64s\n", clients[i].uuid, clients[i].key) != 2)
            storm_die(&clients[i], path, "has no line UUID:HEX for it");
    fclose(f);
}

static double seconds_since_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
}

static void *boot(void *argument)
{
    struct storm_client *client = argument;
    pthread_barrier_wait(&start);
    if (storm.leatd)
        storm_hello(&storm, client);
    client->let_in_s = seconds_since_start();
    (storm.iscsi ? storm_iscsi_open : storm_nbd_open)(&storm, client);
    client->open_s = seconds_since_start();
    (storm.iscsi ? storm_iscsi_boot : storm_nbd_boot)(&storm, client);
    client->done_s = seconds_since_start();
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

/* "NAME_..._s": when the first, the middle and the last one of the clients had come so far; at: of the field. */
static void report_times(const char *name, size_t at)
{
    double *all = calloc(client_count, sizeof *all);
    for (uint32_t i = 0; all && i < client_count; i++)
        memcpy(&all[i], (const char *)&clients[i] + at, sizeof *all);
    if (!all)
        storm_die(NULL, "the clients", "no memory");
    qsort(all, client_count, sizeof *all, by_size);
    printf("\"%s_first_s\": %.6f, \"%s_median_s\": %.6f, \"%s_last_s\": %.6f, ", name, all[0], name,
           all[client_count / 2], name, all[client_count - 1]);
    free(all);
}

static void report(void)
{
    uint64_t bytes = 0;
    struct rusage used;
    for (uint32_t i = 0; i < storm.count; i++)
        bytes += storm.reads[i].length;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"clients\": %u, \"reads\": %u, \"bytes\": %llu, ", client_count, storm.count,
           (unsigned long long)bytes);
    report_times("let_in", offsetof(struct storm_client, let_in_s));
    report_times("open", offsetof(struct storm_client, open_s));
    report_times("done", offsetof(struct storm_client, done_s));
    printf("\"cpu_s\": %.6f}\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
}

static void make_clients(void)
{
    clients = calloc(client_count, sizeof *clients);
    if (!clients)
        storm_die(NULL, "the clients", "no memory");
    for (uint32_t i = 0; i < client_count; i++) {
        struct storm_client *c = &clients[i];
        c->number = first_client + i;
        snprintf(c->address, sizeof c->address, "127.1.%u.%u", c->number / 250 % 250,
                 c->number % 250 + 1);
        if (storm.disk)
            storm_split(storm.disk, c->disk_host, c->disk_port);
    }
}

static void read_options(int argc, char **argv, const char **trace)
{
    static const struct option known[] = {{"clients", 1, NULL, 'c'}, {"first", 1, NULL, 'f'},
                                          {"trace", 1, NULL, 't'},   {"leatd", 1, NULL, 'l'},
                                          {"keys", 1, NULL, 'k'},    {"nbd", 1, NULL, 'n'},
                                          {"iscsi", 1, NULL, 'i'},   {NULL, 0, NULL, 0}};
    const char **texts[128] = {['t'] = trace,
                               ['l'] = &storm.leatd,
                               ['k'] = &storm.psk_file,
                               ['n'] = &storm.disk,
                               ['i'] = &storm.iscsi};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'c')
            client_count = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o == 'f')
            first_client = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o != '?')
            *texts[o] = optarg;
    }
    bool is_way = storm.iscsi ? !storm.disk && !storm.leatd : storm.disk || storm.leatd;
    if (!client_count || client_count > STORM_MAX_CLIENTS || !*trace || !is_way || optind < argc ||
        (storm.leatd && !storm.psk_file))
        storm_die(NULL, "usage",
                  "--clients N [--first N] --trace FILE (--leatd HOST:PORT --keys FILE [--nbd "
                  "HOST:PORT] | --nbd HOST:PORT [--keys FILE] | --iscsi URL)");
    storm.is_secure = storm.psk_file && !(storm.leatd && storm.disk);
}

int main(int argc, char **argv)
{
    const char *trace = NULL;
    read_options(argc, argv, &trace);
    load(trace);
    make_clients();
    if (storm.psk_file)
        load_keys(storm.psk_file);
    run_all();
    report();
    for (char c; read(STDIN_FILENO, &c, 1) > 0;)
        ;
    for (uint32_t i = 0; i < client_count; i++) {
        (storm.iscsi ? storm_iscsi_close : storm_nbd_close)(&clients[i]);
        if (storm.leatd)
            storm_leatd_close(&clients[i]);
    }
    return 0;
}
