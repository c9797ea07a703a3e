// SPDX-License-Identifier: BSD-2-Clause
/* Texts put together in memory of fixed size. */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_text { /* always ended by a NUL */
    char *bytes;
    size_t size, used;
    bool is_cut; /* something found no room, and nothing has been put since */
};

void put_begin(struct client_text *text, char *bytes, size_t size); /* size: 1 at least */
void put_text(struct client_text *text, const char *what);
void put_some(struct client_text *text, const char *what, size_t size);
void put_number(struct client_text *text, uint64_t number);
/* A string of JSON in its quotes (RFC 8259, section 7); what must be UTF-8. */
void put_json(struct client_text *text, const char *what);

#endif
