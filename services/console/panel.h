// SPDX-License-Identifier: BSD-2-Clause
/*
 * The notice or the menu that stands before all views: messages of the supervisor (LEAT_CTL_SCREEN), keys and the
 * clock in, what is to be shown and chosen out. Texts are made harmless as they come in. Portable.
 *
 * A message that begins one is collected beside what is shown, and takes its place with LEAT_SCREEN_SHOW.
 */
#ifndef CONSOLE_PANEL_H
#define CONSOLE_PANEL_H

#include <leat/start.h>
#include "services/console/ansi.h"

#define PANEL_COLUMNS 80u /* of a terminal on the serial line; nobody says what it really has */
#define PANEL_ROWS 19u    /* of its 24: the others are for lines of the log above the panel */
#define PANEL_TEXT (4u * PANEL_COLUMNS + 1u)
#define PANEL_NOTICE_COLUMNS                                                                       \
    280u /* of a text of a notice, which goes over as many rows as it takes */

enum panel_kind { PANEL_NONE, PANEL_NOTICE, PANEL_MENU };

struct panel_content {
    enum panel_kind kind;
    unsigned count;        /* of lines: 1 to LEAT_SCREEN_ENTRIES in a menu that is shown */
    unsigned chosen_first; /* < count */
    unsigned seconds;      /* 0: no clock */
    uint32_t number;       /* of the menu, for its answer */
    char title[PANEL_TEXT];
    char lines[LEAT_SCREEN_ENTRIES][PANEL_TEXT]; /* label_make */
};

struct panel { /* zeroed: nothing is there */
    struct panel_content shown, next;
    unsigned marked;      /* of a menu: the entry that Enter chooses */
    unsigned window;      /* how many of them are seen: whoever draws sets it */
    uint64_t deadline_ns; /* of the clock; 0: it does not run */
    bool is_chosen;       /* the menu has been answered */
    bool is_behind;       /* the user looks at something else */
    struct ansi ansi;
};

enum panel_result {
    PANEL_SAME,
    PANEL_CHANGED, /* draw what differs */
    PANEL_FRONT,   /* it comes to the front: draw all of it */
    PANEL_CHOSEN,  /* the entry `marked`, once for each menu; draw what differs */
    PANEL_CLOSED,  /* there is none any more */
};

/* A LEAT_CTL_SCREEN. A notice with the title of one that the user has left does not come to the front again. */
enum panel_result panel_message(struct panel *panel, const struct leat_ctl *message,
                                uint64_t now_ns);

/* A byte that was typed while it is in front. The first one stops a menu's clock. */
enum panel_result panel_type(struct panel *panel, uint8_t byte);

/* A key was pressed that means nothing to it: the clock stops. */
enum panel_result panel_touch(struct panel *panel);

/* The clock: CHOSEN when a menu's is run down. */
enum panel_result panel_tick(struct panel *panel, uint64_t now_ns);

/* When panel_tick has something new to show or to say; 0: never. */
uint64_t panel_next_ns(const struct panel *panel, uint64_t now_ns);

/* Whole seconds, begun ones counted, until the clock is run down. */
unsigned panel_seconds_left(const struct panel *panel, uint64_t now_ns);

/* The user goes elsewhere, or comes back. False: there is nothing to come back to. */
void panel_leave(struct panel *panel);
bool panel_return(struct panel *panel);

#endif
