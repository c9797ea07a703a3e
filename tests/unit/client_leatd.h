// SPDX-License-Identifier: BSD-2-Clause
/*
 * A leatd for tests of client/ (client_world.h): it lets a machine in, offers two disks with one kernel, and takes what comes;
 * how it misbehaves and what it was asked stands in `leatd`. cmocka's headers come with it.
 */
#ifndef TESTS_UNIT_CLIENT_LEATD_H
#define TESTS_UNIT_CLIENT_LEATD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client_world.h"

#define LEATD_KERNEL_BYTES 300000u

struct client_leatd {
    unsigned hellos, asked, enrols, chosen, renewals, byes, files, puts;
    bool is_enrolled;  /* enrol is answered well, and the own key taken from then on */
    bool is_in_vain;   /* or not taken */
    const char *state; /* of a hello that is refused; NULL: it is let in */
    unsigned bad_files, cut_files, lost_renewals;
    const char *busy; /* of the answers to chosen and renewals; NULL: nothing */
    bool ends;        /* renewals are answered by 401 */
    char last_report[200], ranges[200];
    unsigned files_here, renew_s;
};
extern struct client_leatd leatd;
/* What it serves, and where the client may put it: the memory of each file in turn. */
extern uint8_t leatd_kernel[LEATD_KERNEL_BYTES], leatd_memory[3][LEATD_KERNEL_BYTES];

/* cmocka's setup and teardown: a world anew with this leatd at both servers, and a client that may enrol. */
int leatd_begin(void **state);
int leatd_finish(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, leatd_begin, leatd_finish)

/* For world.serve. */
void leatd_serve(const struct world_request *r);

/* For world_run(): what the client has said or done. */
bool has_offer(void);
bool wants_memory(void);
bool has_config(void);
bool has_ended(void);
bool has_notice(void);
bool is_over(void);
bool wants_report(void);
bool is_taken(void);

/* Memory for the file that it is asked for. */
void give_memory(void);
/* From the first hello to the configuration of both disks. */
void start_to_config(void);
/* How often the log has these words. */
unsigned said(const char *words);

#endif
