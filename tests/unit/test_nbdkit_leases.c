// SPDX-License-Identifier: BSD-2-Clause
/*
 * More leases than one would look through each time. The test plays leatd. What is counted is comparisons of texts, by the
 * whole program: looking for one of them must not be looking at all.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/control.h"
#include "tools/nbdkit-leat/lease_inside.h"

#define LEASES 5000u
#define COMPARISONS 300u /* for one: most are cJSON's, of an answer's fields */
#define WAIT_SECONDS 60

static char folder[] = "leases.XXXXXX", path[64], image[512];
static atomic_uint comparisons, renewals, closings, cuts;
static atomic_bool takes_away, is_shared; /* shared: opens and renewals came on one connection */
static struct lease *leases[LEASES];

/* Instead of the C library's. */
int strcmp(const char *a, const char *b)
{
    comparisons++;
    for (; *a && *a == *b; a++, b++)
        continue;
    return (unsigned char)*a - (unsigned char)*b;
}

static void on_log(const char *sentence)
{
    (void)sentence;
}

static void on_gone(const struct lease *lease)
{
    (void)lease;
    cuts++;
}

/* Whoever opens much must not keep leases from being renewed. */
static void note_kind(const char *line, bool *has_opened, bool *has_renewed)
{
    *has_opened |= strstr(line, "\"token\"") != NULL;
    *has_renewed |= strstr(line, "\"renew\"") != NULL;
    if (*has_opened && *has_renewed)
        is_shared = true;
}

static void answer(int fd, const char *line)
{
    char text[1024], token[64];
    long expires = (long)time(NULL) + 3600;
    const char *at = strstr(line, "\"token\": \"");
    if (at && sscanf(at, "\"token\": \"%60[^\"]", token) == 1) {
        snprintf(
            text, sizeof text,
            "{\"lease\": \"l-%s\", \"client\": \"pc\", \"disk\": \"d\", \"mode\": \"read-only\", "
            "\"read_only\": true, \"path\": \"%s\", \"format\": \"raw\", \"size\": 4096, "
            "\"expires\": %ld, \"renew\": 1, \"away\": \"hold\"}\n",
            token, image, expires);
    } else if (strstr(line, "\"close\"")) {
        closings++;
        strcpy(text, "{}\n");
    } else if (takes_away) {
        strcpy(text, "{\"error\": \"taken away\", \"reason\": \"gone\"}\n");
    } else {
        renewals++;
        snprintf(text, sizeof text, "{\"expires\": %ld, \"away\": \"hold\"}\n", expires);
    }
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void *serve(void *fd_of)
{
    int fd = (int)(intptr_t)fd_of;
    char line[GRANT_LINE];
    bool has_opened = false, has_renewed = false;
    for (ssize_t n; (n = recv(fd, line, sizeof line - 1, 0)) > 0;) {
        line[n] = 0;
        note_kind(line, &has_opened, &has_renewed);
        answer(fd, line);
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *listener)
{
    for (int fd; (fd = accept((int)(intptr_t)listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
    return NULL;
}

static int play_leatd(pthread_t *thread)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char here[400];
    assert_non_null(getcwd(here, sizeof here));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control", folder);
    snprintf(image, sizeof image, "%s/%s/image", here, folder); /* a grant's paths are absolute */
    FILE *file = fopen(image, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 4096), 0);
    fclose(file);
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(pthread_create(thread, NULL, accept_all, (void *)(intptr_t)listener), 0);
    return listener;
}

static unsigned held(void)
{
    pthread_mutex_lock(&lease_table.lock);
    unsigned count = lease_table.count;
    pthread_mutex_unlock(&lease_table.lock);
    return count;
}

/* Until there are so many, or have been. */
static void wait_for(atomic_uint *count, unsigned of)
{
    for (unsigned i = 0; i < WAIT_SECONDS * 1000 && *count < of; i++)
        usleep(1000);
    assert_true(*count >= of);
}

static void wait_for_held(unsigned of)
{
    for (unsigned i = 0; i < WAIT_SECONDS * 1000 && held() != of; i++)
        usleep(1000);
    assert_int_equal(held(), of);
}

static void each_is_cheap(unsigned count)
{
    unsigned each = comparisons / count;
    print_message("%u comparisons each\n", each);
    assert_in_range(each, 0, COMPARISONS);
    comparisons = 0;
}

static void close_from(unsigned first)
{
    for (unsigned i = first; i < LEASES; i++)
        lease_close(leases[i]);
}

/* None but the last is refused, and no step is the longer the more there are. */
static void thousands(void **state)
{
    (void)state;
    static const struct lease_hooks hooks = {on_log, on_gone};
    pthread_t thread;
    int listener = play_leatd(&thread);
    assert_true(control_init(path));
    lease_init(&hooks, 0);
    assert_true(lease_start_renewing(LEASES));
    comparisons = 0;
    for (unsigned i = 0; i < LEASES; i++) {
        char token[32];
        snprintf(token, sizeof token, "x.%u", i);
        leases[i] = lease_open(token, "", true);
        assert_non_null(leases[i]);
    }
    assert_null(lease_open("x.more", "", true));
    each_is_cheap(LEASES);
    unsigned before = renewals;
    wait_for(&renewals, before + LEASES);
    assert_false(is_shared);
    each_is_cheap(renewals - before);
    close_from(LEASES / 2);
    wait_for_held(LEASES / 2);
    assert_int_equal(closings, LEASES / 2);
    each_is_cheap(LEASES / 2);
    takes_away = true;
    wait_for(&cuts, LEASES / 2);
    each_is_cheap(LEASES / 2);
    for (unsigned i = 0; i < LEASES / 2; i++)
        lease_close(leases[i]);
    wait_for_held(0);
    lease_stop_renewing();
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

/* Whatever has failed. */
static int leave_folder(void **state)
{
    (void)state;
    return unlink(image) || unlink(path) || rmdir(folder);
}

/* The one that is due first comes first, whatever is put in, moved and taken out. */
static void in_order(void **state)
{
    (void)state;
    static struct lease some[100];
    uint32_t random = 1;
    lease_table.most = 100;
    for (unsigned i = 0; i < 100; i++) {
        random = random * 1664525 + 1013904223;
        some[i].renew_at = random >> 20;
        assert_true(lease_table_add(&some[i]));
    }
    for (unsigned i = 0; i < 100; i += 3)
        lease_due_at(&some[i], 5000 - some[i].renew_at);
    for (unsigned i = 0; i < 100; i += 5)
        lease_table_remove(&some[i]);
    struct lease *l;
    int64_t last = 0;
    for (unsigned i = 0; i < 80; i++) {
        assert_null(lease_due(last - 1));
        assert_non_null(l = lease_due(5000));
        assert_true(l->renew_at >= last);
        last = l->renew_at;
        lease_table_remove(l);
    }
    assert_null(lease_due(LEASE_FOR_EVER));
    assert_null(lease_table.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_order), cmocka_unit_test(thousands)};
    return cmocka_run_group_tests(tests, NULL, leave_folder);
}
