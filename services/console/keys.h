// SPDX-License-Identifier: BSD-2-Clause
/* The key sequence that belongs to Leat: Ctrl-] and one more key. Portable. */
#ifndef CONSOLE_KEYS_H
#define CONSOLE_KEYS_H

#include <leat/types.h>

enum key_kind {
    KEY_NONE,  /* nothing yet, or a sequence that means nothing */
    KEY_BYTE,  /* a byte for whoever is shown */
    KEY_VM,    /* show VM `number` */
    KEY_NEXT,  /* show the next VM */
    KEY_LEAT,  /* show the prompt */
    KEY_ALL,   /* show everything */
    KEY_DISKS, /* show the table of disks */
    KEY_FRONT, /* show the menu or notice again */
    KEY_HELP,
};

struct key {
    enum key_kind kind;
    uint8_t byte;
    unsigned number;
};

struct keys {
    bool is_escaped; /* Ctrl-] was the last byte */
};

struct key keys_feed(struct keys *keys, uint8_t byte);

extern const char *const keys_help;

#endif
