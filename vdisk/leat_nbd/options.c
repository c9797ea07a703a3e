// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ull

static const char usage[] =
    "usage: leat-nbd [options] SERVER[,SERVER...] EXPORT\n"
    "  SERVER             HOST:PORT or unix:PATH; up to 4 of the same image, tried in turn\n"
    "  --socket PATH      serve on this Unix socket\n"
    "  --port N           serve on this TCP port of 127.0.0.1\n"
    "  --mode MODE        where writes go: private, to the server; ram, to memory; local, to the "
    "store;\n"
    "                     server, to a layer of each client's own over EXPORT\n"
    "  --client NAME=PATH mode server: the client's export, and the Unix socket on which the whole "
    "is\n"
    "                     served; up to 16 of them, in place of --socket and --port\n"
    "  --client-server SERVER[,SERVER...]  of the clients' exports, if others than of EXPORT\n"
    "  --client-holes     holes of a client's export are EXPORT's: not by qemu:allocation-depth\n"
    "  --name NAME        of the disk, and in mode local of its difference (EXPORT)\n"
    "  --read-only\n"
    "  --cache BYTES      of the RAM cache (64 MiB)\n"
    "  --overlay BYTES    bound of mode ram (1 GiB)\n"
    "  --unflushed BYTES  copies of unflushed writes (32 MiB)\n"
    "  --silence SECONDS  before a silent server is given up (30)\n"
    "  --idle SECONDS     before an idle connection is tried by a small read (15)\n"
    "  --connections N    to the server, if it allows several (4)\n"
    "  --give-up SECONDS  so long a request waits for a server that is away (for ever)\n"
    "  --iops N           requests a second at most (no limit)\n"
    "  --bandwidth BYTES  read and written in a second at most (no limit)\n"
    "  --tls-psk FILE     TLS with the pre-shared key of the file's first line, NAME:HEX\n"
    "  --tls-ca FILE      TLS with certificates: PEM of who may vouch for the server\n"
    "  --tls-cert FILE --tls-key FILE  a certificate of one's own, in PEM\n"
    "  --tls-name NAME    what the server's certificate is for (its host name)\n"
    "  --root-hash HASH:BLOCKS[:ALL]  every block is verified; as mkverity prints it\n"
    "  --hash-export NAME its hash tree, on the same servers (EXPORT.verity)\n"
    "  --profile FILE     streams this boot profile first, records the boot\n"
    "  --quiet SECONDS    nothing new for so long ends the boot (15)\n"
    "  --fill MBIT        background fill of the cache, so fast at most (0)\n"
    "  --store FILE[:SIZE]  a local store that keeps blocks and boot profiles; a new file is made "
    "so\n"
    "                     large (SIZE in bytes, or with K, M, G)\n"
    "  --store-format     makes a new store in the file or block device, whatever is there\n"
    "  --content TEXT     the name of this version of the image, 64 hexadecimal digits or at most\n"
    "                     31 characters: its blocks are kept in the store under it\n"
    "SIGUSR1 prints counters as JSON; SIGTERM flushes, prints them and ends.\n";

static _Noreturn void refuse(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (end == text || *end) {
        fprintf(stderr, "leat-nbd: %s is not a number\n", text);
        exit(2);
    }
    return value;
}

static void set_root(struct vdisk_config *config, const char *text)
{
    const char *why = verity_root_parse(text, &config->root);
    config->has_root = !why;
    if (!why)
        return;
    fprintf(stderr, "leat-nbd: --root-hash %s: %s\n", text, why);
    exit(2);
}

static struct vdisk_server server(const char *text, size_t size)
{
    struct vdisk_server s = {.port = 0};
    const char *colon = memrchr(text, ':', size);
    if (size > 6 && !strncmp(text, "unix:/", 6)) {
        snprintf(s.host, sizeof s.host, "%.*s", (int)size - 5, text + 5);
    } else if (colon) {
        char port[8];
        snprintf(port, sizeof port, "%.*s", (int)(text + size - colon - 1), colon + 1);
        snprintf(s.host, sizeof s.host, "%.*s", (int)(colon - text), text);
        s.port = (uint16_t)number(port);
    } else {
        refuse();
    }
    return s;
}

/* Returns how many. */
static uint32_t servers(struct vdisk_server *to, const char *text)
{
    for (uint32_t i = 0; i < VDISK_SERVERS; i++) {
        size_t size = strcspn(text, ",");
        to[i] = server(text, size);
        if (!text[size])
            return i + 1;
        text += size + 1;
    }
    refuse();
}

static void set_servers(struct vdisk_config *config, const char *text)
{
    struct vdisk_server all[VDISK_SERVERS];
    config->more_count = servers(all, text) - 1;
    memcpy(config->host, all[0].host, sizeof config->host);
    config->port = all[0].port;
    memcpy(config->more, all + 1, sizeof config->more);
}

static void add_client(struct options *o, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || !equals[1] || o->client_count == OPTION_CLIENTS)
        refuse();
    struct option_client *c = &o->clients[o->client_count++];
    snprintf(c->export_name, sizeof c->export_name, "%.*s", (int)(equals - text), text);
    c->socket_path = equals + 1;
}

static enum vdisk_mode mode(const char *text)
{
    static const char *const names[] = {[VDISK_PRIVATE] = "private",
                                        [VDISK_RAM] = "ram",
                                        [VDISK_LOCAL] = "local",
                                        [VDISK_SERVER] = "server"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(text, names[i]))
            return i;
    refuse();
}

static void set_content(struct vdisk_config *config, const char *text)
{
    config->has_content = content_parse(text, config->content);
    if (config->has_content)
        return;
    fprintf(
        stderr,
        "leat-nbd: --content %s: must be 64 hexadecimal digits or at most 31 ASCII characters\n",
        text);
    exit(2);
}

/* FILE, or FILE:SIZE. */
static void set_store(struct options *o, char *text)
{
    static const char units[] = "KMG";
    char *colon = strrchr(text, ':'), *end;
    o->store_path = text;
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return;
    o->store_bytes = strtoull(colon + 1, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit)
        o->store_bytes <<= 10 * (unit - units + 1);
    if (end[unit != NULL] || o->store_bytes > 1ull << 50)
        refuse();
    *colon = 0;
}

void options_parse(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {{"socket", 1, NULL, 's'},
                                          {"port", 1, NULL, 'p'},
                                          {"mode", 1, NULL, 'm'},
                                          {"read-only", 0, NULL, 'r'},
                                          {"cache", 1, NULL, 'c'},
                                          {"overlay", 1, NULL, 'o'},
                                          {"unflushed", 1, NULL, 'u'},
                                          {"silence", 1, NULL, 'q'},
                                          {"idle", 1, NULL, 'i'},
                                          {"give-up", 1, NULL, 'g'},
                                          {"connections", 1, NULL, 'n'},
                                          {"tls-psk", 1, NULL, 'P'},
                                          {"tls-ca", 1, NULL, 'A'},
                                          {"tls-cert", 1, NULL, 'C'},
                                          {"tls-key", 1, NULL, 'K'},
                                          {"tls-name", 1, NULL, 'N'},
                                          {"profile", 1, NULL, 'b'},
                                          {"quiet", 1, NULL, 'e'},
                                          {"name", 1, NULL, 'N' + 256},
                                          {"fill", 1, NULL, 'f'},
                                          {"iops", 1, NULL, 'I'},
                                          {"bandwidth", 1, NULL, 'B'},
                                          {"store", 1, NULL, 'S'},
                                          {"store-format", 0, NULL, 'F'},
                                          {"content", 1, NULL, 't'},
                                          {"root-hash", 1, NULL, 'R'},
                                          {"hash-export", 1, NULL, 'H'},
                                          {"client", 1, NULL, 'l'},
                                          {"client-server", 1, NULL, 'L'},
                                          {"client-holes", 0, NULL, 'O'},
                                          {NULL, 0, NULL, 0}};
    const char *name = NULL;
    *o = (struct options){
        .limits = {.cache_bytes = 64u << 20, .overlay_bytes = 1u << 30, .connections = 4}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 's')
            o->socket_path = optarg;
        else if (c == 'p')
            o->port = (uint16_t)number(optarg);
        else if (c == 'm')
            o->config.mode = mode(optarg);
        else if (c == 'N' + 256)
            name = optarg;
        else if (c == 'r')
            o->config.is_read_only = true;
        else if (c == 'c')
            o->limits.cache_bytes = number(optarg);
        else if (c == 'o')
            o->limits.overlay_bytes = number(optarg);
        else if (c == 'u')
            o->limits.log_bytes = number(optarg);
        else if (c == 'q')
            o->limits.silence_ns = number(optarg) * SECOND_NS;
        else if (c == 'i')
            o->limits.idle_ns = number(optarg) * SECOND_NS;
        else if (c == 'n')
            o->limits.connections = (uint32_t)number(optarg);
        else if (c == 'b')
            o->profile_path = optarg;
        else if (c == 'e')
            o->limits.quiet_ns = number(optarg) * SECOND_NS;
        else if (c == 'f')
            o->limits.fill_rate = number(optarg) * 125000;
        else if (c == 'g')
            o->config.give_up_ns = number(optarg) * SECOND_NS;
        else if (c == 'I')
            o->config.rates.iops = number(optarg);
        else if (c == 'B')
            o->config.rates.bandwidth = number(optarg);
        else if (c == 'S')
            set_store(o, optarg);
        else if (c == 'F')
            o->must_format = true;
        else if (c == 't')
            set_content(&o->config, optarg);
        else if (c == 'R')
            set_root(&o->config, optarg);
        else if (c == 'H')
            snprintf(o->config.hash_export, sizeof o->config.hash_export, "%s", optarg);
        else if (c == 'l')
            add_client(o, optarg);
        else if (c == 'L')
            o->config.client_count = servers(o->config.client_servers, optarg);
        else if (c == 'O')
            o->config.below_is_hole = true;
        else if (c == 'P')
            o->psk = optarg;
        else if (c == 'A')
            o->ca = optarg;
        else if (c == 'C')
            o->certificate = optarg;
        else if (c == 'K')
            o->key = optarg;
        else if (c == 'N')
            o->tls_name = optarg;
        else
            refuse();
    }
    bool has_clients = o->client_count, is_alone = o->socket_path || o->port;
    if (optind + 2 != argc || has_clients == is_alone ||
        has_clients != (o->config.mode == VDISK_SERVER))
        refuse();
    if (o->config.mode == VDISK_LOCAL && !o->store_path) {
        fputs("leat-nbd: --mode local needs --store FILE, where the difference is kept\n", stderr);
        exit(2);
    }
    o->config.is_profiled = o->profile_path || o->store_path;
    const char *export = argv[optind + 1];
    set_servers(&o->config, argv[optind]);
    snprintf(o->config.export_name, sizeof o->config.export_name, "%s", export);
    if (!name)
        name = export[0] ? export : "default";
    snprintf(o->config.name, sizeof o->config.name, "%.63s", name);
    if (!has_clients)
        o->clients[o->client_count++].socket_path = o->socket_path;
}
