// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/peers.h"

#include "tools/nbdkit-leat/cut.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Files of one connection: its socket, nbdkit's pipe (two), a difference, an image and a child's socket. */
#define FILES_EACH 6u
#define FILES_ELSE 64u
#define BUCKETS 256u

struct peer {
    char address[PEER_NAME];
    unsigned connections;
    struct peer *next;
};

/* One connection. */
struct visit {
    struct peer *peer;
    struct sockaddr_storage address;
    socklen_t length;
    time_t until; /* of the monotonic clock: its handshake has to be over; 0: it is */
    struct visit *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *buckets[BUCKETS];
static struct visit *visits;
static unsigned total, most_total, most_each, most_seconds;
static pthread_key_t key;
static pthread_t watcher;
static pthread_cond_t ending = PTHREAD_COND_INITIALIZER;
static bool is_watching, is_ending;

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
    struct visit *visit = value, **at = &visits;
    struct peer *peer = visit->peer;
    pthread_mutex_lock(&lock);
    while (*at != visit)
        at = &(*at)->next;
    *at = visit->next;
    total--;
    if (!--peer->connections) {
        *place_of(peer->address) = peer->next;
        free(peer);
    }
    pthread_mutex_unlock(&lock);
    free(visit);
}

static struct timespec monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

/* The socket ends, and with it the thread that reads it. With the lock, so that it is still the same connection's. */
static void cut_late(time_t now)
{
    for (struct visit *v = visits; v; v = v->next) {
        if (!v->until || now < v->until)
            continue;
        v->until = 0;
        cut_connection(&v->address, v->length);
    }
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!is_ending) {
        struct timespec until = monotonic();
        cut_late(until.tv_sec);
        until.tv_sec++;
        pthread_cond_clockwait(&ending, &lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void peers_end(void)
{
    pthread_mutex_lock(&lock);
    is_ending = true;
    pthread_cond_signal(&ending);
    pthread_mutex_unlock(&lock);
    if (is_watching)
        pthread_join(watcher, NULL);
    is_watching = false;
}

bool peers_init(unsigned each, unsigned handshake)
{
    struct rlimit files = {.rlim_cur = 1024};
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    most_each = each;
    most_seconds = handshake;
    most_total = files.rlim_cur > FILES_ELSE + FILES_EACH
                     ? (unsigned)((files.rlim_cur - FILES_ELSE) / FILES_EACH)
                     : 1;
    is_watching = !pthread_key_create(&key, leave) && handshake &&
                  !pthread_create(&watcher, NULL, watch, NULL);
    return is_watching || !handshake;
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

static struct visit *begin(struct visit *visit, const char *name, const char **why)
{
    visit->peer = count_in(name, why);
    if (!visit->peer) {
        free(visit);
        return NULL;
    }
    visit->next = visits;
    visits = visit;
    return visit;
}

const char *peers_enter(const char *name, const struct sockaddr_storage *address, socklen_t length)
{
    const char *why = "there is no memory for a connection";
    struct visit *before = pthread_getspecific(key), *visit = calloc(1, sizeof *visit);
    if (before) /* nbdkit -s, one after the other */
        leave(before);
    if (visit) {
        visit->address = *address;
        visit->length = length;
        visit->until = most_seconds ? monotonic().tv_sec + (time_t)most_seconds : 0;
        why = NULL;
        pthread_mutex_lock(&lock);
        visit = begin(visit, name, &why);
        pthread_mutex_unlock(&lock);
    }
    pthread_setspecific(key, visit);
    return why;
}

void peers_shook_hands(void)
{
    struct visit *visit = pthread_getspecific(key);
    pthread_mutex_lock(&lock);
    if (visit)
        visit->until = 0;
    pthread_mutex_unlock(&lock);
}
