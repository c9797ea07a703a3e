// SPDX-License-Identifier: BSD-2-Clause
/* The control socket of leatd: a few connections, each made when it is needed, and made again when it is lost. */
#ifndef NBDKIT_LEAT_CONTROL_H
#define NBDKIT_LEAT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/nbdkit-leat/grant.h"

/* Once, before threads. False: the path is too long for a Unix socket. */
bool control_init(const char *path);
/* What all that ask have found: away is a leatd that has not answered somebody, nor anybody else since he began to ask. */
struct control_state {
    bool is_away;
    unsigned
        changes; /* how often is_away has changed: what is heard late is told from what is news */
};

/* Sends a request, and waits for its answer (a string without line feed) for at most so many seconds. False: there is none.
   A request whose answer was lost is asked once more: all of them may be asked twice. Any thread; as many at a time as
   there are connections but the reserved one, and when one finds leatd away, so have all that wait for one. state: as it is
   then. */
bool control_ask(const char *line, size_t length, unsigned seconds, char answer[GRANT_LINE],
                 struct control_state *state);
/* The calling thread has a connection of its own from now on, and waits for none: whoever it is that makes all others wait.
   One thread at most. */
void control_reserve(void);
/* When nobody asks any more. */
void control_close(void);

#endif
