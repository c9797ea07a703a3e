// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/share.h"

#include <string.h>

#define PIECE_LEAST (16u << 10)
#define PIECE_MOST (256u << 10)

static struct share_user *user_at(const struct list *node)
{
    return LIST_ENTRY(node, struct share_user, node);
}

void share_init(struct share *s)
{
    memset(s, 0, sizeof *s);
    list_init(&s->users);
}

void share_join(struct share *s, struct share_user *u, uint32_t weight)
{
    memset(u, 0, sizeof *u);
    share_weigh(u, weight);
    list_push_back(&s->users, &u->node);
    for (struct list *n = s->users.next; n != &s->users; n = n->next)
        user_at(n)->deficit = 0; /* who was alone owes nobody */
}

void share_weigh(struct share_user *u, uint32_t weight)
{
    u->weight = weight < 1 ? SHARE_WEIGHT : weight > SHARE_MOST_WEIGHT ? SHARE_MOST_WEIGHT : weight;
}

void share_leave(struct share_user *u)
{
    list_remove(&u->node);
}

uint64_t share_window(const struct share *s)
{
    return meter_window_for(&s->meter, s->rtt_ns ? s->rtt_ns : meter_rtt_ns(&s->meter));
}

uint32_t share_piece(const struct share *s)
{
    uint64_t piece = share_window(s) / 8;
    return piece < PIECE_LEAST ? PIECE_LEAST : piece > PIECE_MOST ? PIECE_MOST : (uint32_t)piece;
}

/* Small for small weights too: the shortest turn is a piece, and what is sent beyond counts. */
static int64_t quantum(const struct share *s, const struct share_user *u)
{
    int64_t bytes = (int64_t)share_piece(s) * u->weight / SHARE_WEIGHT;
    return bytes ? bytes : 1;
}

void share_begin_pass(struct share *s)
{
    for (struct list *n = s->users.next; n != &s->users; n = n->next)
        user_at(n)->is_refused = false;
}

bool share_ask(struct share *s, struct share_user *u, uint32_t bytes)
{
    bool is_small = u->flying - u->patient + bytes <= SHARE_SPARE &&
                    u->deficit > -(int64_t)SHARE_SPARE - (int64_t)u->patient;
    return is_small || share_ask_patient(s, u);
}

bool share_ask_patient(struct share *s, struct share_user *u)
{
    if (u->deficit > 0 && s->flying < share_window(s))
        return true;
    if (s->flying >= share_window(s))
        s->meter.was_full = true;
    u->is_refused = true;
    return false;
}

bool share_is_short(const struct share *s)
{
    for (struct list *n = s->users.next; n != &s->users; n = n->next)
        if (user_at(n)->is_refused)
            return true;
    return false;
}

/* Rounds until one of those who want to send may; 0: one may already. */
static int64_t rounds_wanted(const struct share *s)
{
    int64_t least = INT64_MAX;
    for (struct list *n = s->users.next; n != &s->users; n = n->next) {
        const struct share_user *u = user_at(n);
        if (!u->is_refused)
            continue;
        int64_t rounds = u->deficit > 0 ? 0 : -u->deficit / quantum(s, u) + 1;
        least = rounds < least ? rounds : least;
    }
    return least;
}

bool share_next_round(struct share *s)
{
    if (s->flying >= share_window(s) || !share_is_short(s))
        return false;
    int64_t rounds = rounds_wanted(s);
    for (struct list *n = s->users.next; rounds && n != &s->users; n = n->next) {
        struct share_user *u = user_at(n);
        u->deficit += rounds * quantum(s, u);
        if (!u->is_refused && u->deficit > 0)
            u->deficit = 0;
    }
    return true;
}

void share_sent(struct share *s, struct share_user *u, struct share_flight *f, uint32_t bytes,
                uint64_t now_ns)
{
    if (!bytes)
        return;
    f->bytes = bytes;
    f->sent_ns = now_ns;
    u->deficit -= bytes;
    u->flying += bytes;
    u->patient += f->is_patient ? bytes : 0;
    u->pieces++;
    s->flying += bytes;
    meter_sent(&s->meter, &f->mark, s->pieces++, now_ns);
}

void share_landed(struct share *s, struct share_user *u, struct share_flight *f, bool is_lost,
                  uint64_t now_ns)
{
    if (!f->bytes)
        return;
    u->flying -= f->bytes;
    u->patient -= f->is_patient ? f->bytes : 0;
    u->pieces--;
    s->flying -= f->bytes;
    s->pieces--;
    if (!is_lost)
        meter_answered(&s->meter, &f->mark, f->sent_ns, f->bytes, now_ns);
    f->bytes = 0;
}
