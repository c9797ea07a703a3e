// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/peers.h"

#include "tools/nbdkit-leat/cut.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Files of one connection: its socket, nbdkit's pipe (two), a difference, an image and a child's socket. */
#define FILES_EACH 6u
#define FILES_ELSE 64u
#define BUCKETS 256u
#define PORTS 1024u

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
    bool is_cut;
    atomic_bool is_unwanted; /* to be cut */
    struct visit *next, *next_late;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *buckets[BUCKETS];
static struct visit *visits;
static unsigned total, most_total, most_each, most_seconds;
static pthread_key_t key;
static pthread_t watcher;
static sem_t wanted; /* the watcher */
static pthread_cond_t has_cut = PTHREAD_COND_INITIALIZER;
static bool is_watching;
static atomic_bool is_ending;
static volatile sig_atomic_t is_quitting;
static struct sigaction of_nbdkit;

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

/* nbdkit ends when its last client has gone, and takes no new ones; but clients that say nothing do not go. */
static void on_quit(int number)
{
    is_quitting = 1;
    of_nbdkit.sa_handler(number);
}

bool peers_are_quitting(void)
{
    return is_quitting;
}

static void watch_for_quit(void)
{
    if (sigaction(SIGTERM, NULL, &of_nbdkit) || of_nbdkit.sa_flags & SA_SIGINFO ||
        of_nbdkit.sa_handler == SIG_DFL || of_nbdkit.sa_handler == SIG_IGN)
        return;
    struct sigaction ours = of_nbdkit;
    ours.sa_handler = on_quit;
    sigaction(SIGTERM, &ours, NULL);
}

/* Whoever has set another one since keeps it. */
static void watch_no_more(void)
{
    struct sigaction now;
    if (!sigaction(SIGTERM, NULL, &now) && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == on_quit)
        sigaction(SIGTERM, &of_nbdkit, NULL);
}

/* Those that are to be cut, by their ports: those of one address differ in nothing else. */
static struct visit **late_of(struct visit **late, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const void *)address; /* sockaddr_in6 has its port there, too */
    return &late[ntohs(in->sin_port) % PORTS];
}

static bool is_late(const struct sockaddr_storage *address, socklen_t length, const void *late)
{
    const struct visit *v = *late_of((struct visit **)late, address);
    while (v && (v->length != length || memcmp(&v->address, address, length)))
        v = v->next_late;
    return v;
}

/* The sockets end, and with them the threads that read them. With the lock, so that they are still the same connections':
   that is why all are found at once. */
static void cut_late(time_t now)
{
    struct visit *late[PORTS] = {NULL};
    bool is_any = false;
    for (struct visit *v = visits; v; v = v->next) {
        bool is_due = is_quitting || atomic_load(&v->is_unwanted) || (v->until && now >= v->until);
        if (v->is_cut || !is_due)
            continue;
        struct visit **at = late_of(late, &v->address);
        v->is_cut = is_any = true;
        v->next_late = *at;
        *at = v;
    }
    if (is_any)
        cut_connections(is_late, late);
    pthread_cond_broadcast(&has_cut);
}

static void *watch(void *unused)
{
    (void)unused;
    while (!atomic_load(&is_ending)) {
        struct timespec until = monotonic();
        while (!sem_trywait(&wanted)) /* all that is wanted by now is done at once */
            continue;
        pthread_mutex_lock(&lock);
        cut_late(until.tv_sec);
        pthread_mutex_unlock(&lock);
        until.tv_sec++;
        sem_clockwait(&wanted, CLOCK_MONOTONIC, &until);
    }
    return NULL;
}

struct visit *peers_visit(void)
{
    return pthread_getspecific(key);
}

void peers_cut(struct visit *visit)
{
    if (!visit)
        return;
    atomic_store(&visit->is_unwanted, true);
    sem_post(&wanted);
}

void peers_await_cut(struct visit *visit)
{
    if (!visit || !atomic_load(&visit->is_unwanted))
        return;
    pthread_mutex_lock(&lock);
    while (!visit->is_cut && !atomic_load(&is_ending))
        pthread_cond_wait(&has_cut, &lock);
    pthread_mutex_unlock(&lock);
}

void peers_end(void)
{
    atomic_store(&is_ending, true);
    sem_post(&wanted);
    if (is_watching)
        pthread_join(watcher, NULL);
    is_watching = false;
    watch_no_more();
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
    watch_for_quit();
    sem_init(&wanted, 0, 0);
    is_watching = !pthread_key_create(&key, leave) && !pthread_create(&watcher, NULL, watch, NULL);
    return is_watching;
}

unsigned peers_most(void)
{
    return most_total;
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
