// SPDX-License-Identifier: BSD-2-Clause
/*
 * What leatd says on its control socket (docs/server.md, "The control socket"), checked; and what is asked there.
 * Nothing here blocks or keeps anything.
 */
#ifndef NBDKIT_LEAT_GRANT_H
#define NBDKIT_LEAT_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRANT_LINE 4096u /* bytes of a request or answer, with its line feed */
#define GRANT_TOKEN 128u /* the longest export name that is asked for, and 1 */
#define GRANT_LEASE 128u
#define GRANT_NAME 64u
#define GRANT_PATH 2048u
#define GRANT_REASON 16u
#define GRANT_SENTENCE 256u

enum grant_mode { GRANT_SHARED, GRANT_PRIVATE, GRANT_SERVER };
enum grant_format { GRANT_RAW, GRANT_QCOW2 };

struct grant {
    char lease[GRANT_LEASE], client[GRANT_NAME], disk[GRANT_NAME];
    enum grant_mode mode; /* SHARED: there is no difference */
    enum grant_format format;
    bool read_only, is_uri, is_new; /* new: the difference's file may have to be made */
    char image[GRANT_PATH];         /* a path or URI; empty: zeros */
    char difference[GRANT_PATH];    /* a path; empty: none */
    uint64_t size;
    int64_t expires; /* seconds since 1970 */
    unsigned renew;  /* seconds */
    bool pauses;     /* nothing is done past expires, since another server may have the disk then */
};

struct grant_refusal {
    char reason[GRANT_REASON], sentence[GRANT_SENTENCE], holder[GRANT_NAME];
};

enum grant_answer { GRANT_GIVEN, GRANT_REFUSED, GRANT_NONSENSE };

/* An export name that leatd can have issued: a letter, a dot, base64url; everything else needs no question. */
bool grant_is_token(const char *name);

/* One line each, with its line feed. Returns its length; 0: it does not fit, or holds what must not be in it. */
size_t grant_ask_open(char line[GRANT_LINE], const char *token, const char *peer, bool read_only);
/* made: the difference's file is there, and open. */
size_t grant_ask_renew(char line[GRANT_LINE], const char *lease, uint64_t read, uint64_t written,
                       bool made);
size_t grant_ask_close(char line[GRANT_LINE], const char *lease);

/* The answer to open. NONSENSE: the sentence says what is wrong with it. */
enum grant_answer grant_read(const char *line, struct grant *grant, struct grant_refusal *refusal);
/* The answers to renew (expires and pauses are set) and close (they are not; give NULL). */
enum grant_answer grant_read_renewed(const char *line, int64_t *expires, bool *pauses,
                                     struct grant_refusal *refusal);

#endif
