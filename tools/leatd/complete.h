// SPDX-License-Identifier: BSD-2-Clause
/* Rules across the fields of one object, and what is made for a new one: `complete` and `created` of struct object. */
#ifndef LEATD_COMPLETE_H
#define LEATD_COMPLETE_H

#include "tools/leatd/object.h"

extern const struct object object_clients, object_disks, object_assignments, object_admins,
    object_tokens, object_enrolments;

bool complete_client(struct request *request, struct record *record, bool is_new,
                     enum db_result *result);
bool complete_version(struct request *request, struct record *record, bool is_new,
                      enum db_result *result);
bool complete_disk(struct request *request, struct record *record, bool is_new,
                   enum db_result *result);
bool complete_assignment(struct request *request, struct record *record, bool is_new,
                         enum db_result *result);
bool complete_enrolment(struct request *request, struct record *record, bool is_new,
                        enum db_result *result);
bool complete_token(struct request *request, struct record *record, bool is_new,
                    enum db_result *result);

/* A password that was given becomes its hash, which a thread makes: the lane of logins, WORK_PASSWORD. */
bool complete_admin(struct request *request, struct record *record, bool is_new,
                    enum db_result *result);

enum db_result created_client(struct request *request, const char *key);
enum db_result created_token(struct request *request, const char *key);

/* A new password: the administrator's tokens end, but for the one that the request came with. */
enum db_result changed_admin(struct request *request, const struct record *record, const char *key);

#endif
