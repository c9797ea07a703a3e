// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/pace.h"

#include <poll.h>
#include <time.h>

#define PART 4 /* the rest, as a multiple of what the turn took */
#define MOST_REST_MS 200

int pace_file(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

bool pace_has_news(struct MHD_Daemon *daemon)
{
    struct pollfd news = {.fd = pace_file(daemon), .events = POLLIN};
    return poll(&news, 1, 0) > 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pace_run(struct pace *pace, struct MHD_Daemon *daemon, const uint64_t *progress)
{
    bool has_news = pace_has_news(daemon);
    uint64_t before = *progress;
    int64_t began = now_ms();
    MHD_run(daemon);
    if (has_news || *progress != before) {
        pace->turns = 0;
        return;
    }
    int64_t rest = 1 + PART * (now_ms() - began);
    pace->turns += pace->turns < PACE_TURNS;
    pace->rest_ms = rest < MOST_REST_MS ? (int)rest : MOST_REST_MS;
}

int pace_timeout(const struct pace *pace, struct MHD_Daemon *daemon, int most)
{
    MHD_UNSIGNED_LONG_LONG wait;
    int least = pace->turns < PACE_TURNS ? 0 : pace->rest_ms;
    if (MHD_get_timeout(daemon, &wait) != MHD_YES || wait >= (unsigned)most)
        return most;
    return (int)wait > least ? (int)wait : least < most ? least : most;
}
