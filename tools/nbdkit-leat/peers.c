// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/peers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Files of one connection: its socket, nbdkit's pipe (two), a difference, an image and a child's socket. */
#define FILES_EACH 6u
#define FILES_ELSE 64u
#define BUCKETS 256u

struct peer {
    char address[PEER_NAME];
    unsigned connections;
    struct peer *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *buckets[BUCKETS];
static unsigned total, most_total, most_each;
static pthread_key_t key;

static struct peer **place_of(const char *address)
{
    unsigned hash = 5381;
    for (const char *c = address; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    struct peer **at = &buckets[hash % BUCKETS];
    while (*at && strcmp((*at)->address, address))
        at = &(*at)->next;
    return at;
}

/* When a connection's thread ends: nbdkit has no call for connections that never opened anything. */
static void leave(void *value)
{
    struct peer *peer = value;
    pthread_mutex_lock(&lock);
    total--;
    if (!--peer->connections) {
        *place_of(peer->address) = peer->next;
        free(peer);
    }
    pthread_mutex_unlock(&lock);
}

void peers_init(unsigned each)
{
    struct rlimit files = {.rlim_cur = 1024};
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    most_each = each;
    most_total = files.rlim_cur > FILES_ELSE + FILES_EACH
                     ? (unsigned)((files.rlim_cur - FILES_ELSE) / FILES_EACH)
                     : 1;
    pthread_key_create(&key, leave);
}

static struct peer *count_in(const char *address, const char **why)
{
    struct peer **at = place_of(address), *peer = *at;
    if (total >= most_total) {
        *why = "there are as many connections as there are files for (LimitNOFILE)";
        return NULL;
    }
    if (peer && *address && most_each && peer->connections >= most_each) {
        *why = "its address has as many connections as it may (connections=)";
        return NULL;
    }
    if (!peer && !(peer = *at = calloc(1, sizeof *peer))) {
        *why = "there is no memory for a connection";
        return NULL;
    }
    snprintf(peer->address, sizeof peer->address, "%s", address);
    peer->connections++;
    total++;
    return peer;
}

const char *peers_enter(const char *address)
{
    const char *why = NULL;
    struct peer *before = pthread_getspecific(key);
    if (before) /* nbdkit -s, one after the other */
        leave(before);
    pthread_mutex_lock(&lock);
    struct peer *peer = count_in(address, &why);
    pthread_mutex_unlock(&lock);
    pthread_setspecific(key, peer);
    return why;
}
