// SPDX-License-Identifier: BSD-2-Clause
/* What the files of the client share: its state. */
#ifndef CLIENT_INSIDE_H
#define CLIENT_INSIDE_H

#include "client/client.h"
#include "client/sections.h"

#define NS_PER_S 1000000000ull
#define CONTROL_LIMIT_NS (60 * NS_PER_S) /* of one request; a file's has more */
#define FILES_OF_DISK 3u

/*
 *   WAITING --hello--> OFFERED --choose--> CHOSEN --> FILES --config--> RUNNING --> ENDED
 *      ^------ the session was ended --------/
 * and from each, by client_stop, LEAVING --> OVER.
 */
enum client_step {
    STEP_WAITING, /* for a network, for a time, or for the answer to a hello */
    STEP_OFFERED,
    STEP_CHOSEN, /* leatd is being told */
    STEP_FILES,
    STEP_RUNNING,
    STEP_ENDED, /* by leatd */
    STEP_LEAVING,
    STEP_OVER,
};

enum client_job { JOB_NONE, JOB_HELLO, JOB_ENROL, JOB_ASK, JOB_CHOSEN, JOB_RENEW, JOB_BYE };

enum report_state { REPORT_NONE, REPORT_ASKED, REPORT_HERE }; /* for the next renewal */

enum file_state { FILE_NEW, FILE_ASKED, FILE_WANTED, FILE_DONE, FILE_FAILED };

struct file {
    char name[LEAT_CLIENT_FILE];
    const struct client_file *what;
    enum file_state state;
    uint8_t *memory;
    uint64_t done;  /* bytes that are there */
    unsigned wrong; /* times that its SHA-256 was another */
};

/* Failures in a row, and when to try again. */
struct retry {
    unsigned failures, server;
    uint64_t at_ns;
};

struct profile_up { /* data NULL: none */
    char path[CLIENT_PATH];
    const void *data;
    size_t size;
};

struct client {
    struct client_config config;
    const struct client_platform *platform;
    const struct client_output *output;
    char uuid[CLIENT_UUID_BYTES], mac[18];
    enum client_step step;
    uint64_t now_ns;
    bool has_notice, waits_for_network;
    char network_why[CLIENT_SENTENCE];

    struct exchange control; /* all but files */
    enum client_job job;     /* of control */
    enum client_job next;    /* of STEP_WAITING */
    struct retry retry;
    unsigned refusals; /* of our key in a row, while leatd knows the machine */
    bool has_enrolled; /* leatd has taken the key, and no hello has come through since */
    bool cannot_enrol; /* this leatd does not know how */
    char request[LEAT_CLIENT_REPORT_BYTES + 64];
    char answer[ANSWER_BYTES];

    struct client_hello hello;
    uint64_t chosen;            /* bits */
    char session[CLIENT_TOKEN]; /* empty: none */
    uint64_t renew_s, renew_ns;
    bool is_busy;               /* when the disks were chosen, others wrote some */
    char busy[CLIENT_SENTENCE]; /* what was said of that; empty: nothing */
    enum report_state report_state;
    uint64_t report_ns; /* ASKED: until when the renewal waits for it */
    char report[LEAT_CLIENT_REPORT_BYTES];
    size_t report_size;

    struct exchange transfer; /* files down, profiles up; a kept connection is whose turn it is */
    struct retry transfer_retry;
    unsigned file_count, file_now;
    uint64_t progress_ns; /* when it is said next how far a download is */
    struct file files[LEAT_CLIENT_ENTRIES * FILES_OF_DISK];
    unsigned file_of[LEAT_CLIENT_ENTRIES][FILES_OF_DISK]; /* index + 1; 0: none */
    struct profile_up profile;
    char sink[256]; /* what is said to one that went up */
    char config_text[LEAT_CLIENT_CONFIG_BYTES];
};

/* client.c */
__attribute__((format(printf, 2, 3))) void client_log(const struct client *c, const char *format,
                                                      ...);
/* The same as a notice; wait_s 0: for ever. */
__attribute__((format(printf, 3, 4))) void client_note(struct client *c, uint64_t wait_s,
                                                       const char *format, ...);
void client_note_over(struct client *c);
/* One more failure: the next server, and a later time. Returns the seconds until then, 1 at least. */
uint64_t client_retry(struct client *c, struct retry *retry);
/* How long a server may take until TLS stands: not long while another one has not been tried. */
uint64_t client_patience(const struct client *c, const struct retry *retry);
const struct client_server *client_server_of(const struct client *c, const struct retry *retry);

/* start.c: until the client is let in */
void start_next(struct client *c); /* begins what `next` says */
void start_wait_for_network(struct client *c);
void start_answered(struct client *c);
void start_failed(struct client *c);
void start_pause(struct client *c, enum client_job next, uint64_t wait_s);

/* session.c: from then on */
void session_begin_job(struct client *c, enum client_job job, const char *path, const char *token,
                       enum client_identity identity);
void session_next(struct client *c); /* chosen, renewals, bye: if it is time */
void session_answered(struct client *c);
void session_failed(struct client *c);
void session_lost(struct client *c, const char *why);
uint64_t session_deadline(const struct client *c);

/* files.c */
void files_begin(struct client *c);
void files_run(struct client *c); /* at the end gives the configuration */
/* profile.c */
void profile_run(struct client *c);

#endif
