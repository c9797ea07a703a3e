// SPDX-License-Identifier: BSD-2-Clause
/* The administrators' objects as tables of fields: one description makes list, show, create, change and remove. */
#ifndef LEATD_OBJECT_H
#define LEATD_OBJECT_H

#include "tools/leatd/check.h"
#include "tools/leatd/request.h"

#define OBJECT_FIELDS 20u

enum field_kind {
    FIELD_NAME,   /* check_name */
    FIELD_TEXT,   /* check_text; max: bytes */
    FIELD_NUMBER, /* min to max */
    FIELD_TRUTH,
    FIELD_CHOICE,
    FIELD_UUID,
    FIELD_MACS, /* an array of addresses; a text with blanks in the table */
    FIELD_SECRET, /* a password: the record has it until `complete` puts its hash there; never shown */
    FIELD_SHOWN,  /* never from outside: as the table has it */
    FIELD_JSON,   /* the same, of a text that is JSON */
    FIELD_HIDDEN, /* neither from outside nor shown */
};

enum field_flag {
    FIELD_NEEDED = 1,   /* no default: create has to have it */
    FIELD_FIXED = 2,    /* create alone */
    FIELD_OR_NULL = 4,  /* may be null, which is the default */
    FIELD_IS_TRUTH = 8, /* FIELD_SHOWN: 0 and 1 are false and true */
    FIELD_FILTER = 16,  /* a list can be asked for those with this text in it alone: ?NAME=TEXT */
    FIELD_FOUND = 32,   /* ?find=TEXT looks into it */
    FIELD_MADE = 64,    /* FIELD_SHOWN: column is a query, not one of the table */
};

struct field {
    const char *name;   /* in JSON */
    const char *column; /* in the table */
    enum field_kind kind;
    unsigned flags;
    int64_t min, max, fallback; /* of numbers and truths; max also of texts, in bytes */
    const char *const *choices; /* FIELD_CHOICE: ends in NULL; the first is the default */
    const char
        *refers; /* a query with $1: the text has to be found by it; it answers what is stored */
    const char *thing; /* what that query looks for, in words */
};

#define FIELD(n, c, k, ...)                                                                        \
    {                                                                                              \
        .name = n, .column = c, .kind = k, __VA_ARGS__                                             \
    }
#define FIELDS_END FIELD(NULL, NULL, FIELD_NAME)

/* The values of one object's fields, in their order. Texts belong to the request (its JSON, its work), or to buffers. */
struct record {
    struct db_value values[OBJECT_FIELDS];
    bool given[OBJECT_FIELDS];
    char buffers[4][MACS_BYTES]; /* uuid, addresses, what a reference was resolved to */
    unsigned buffers_used;
};

struct object {
    const char *path, *word; /* "clients", "client" */
    const char *table, *key; /* the column that names it */
    const char *
        also_key; /* another column by which it may be named, and lists are in the order of; or NULL */
    const char *parent; /* a column that belongs to the key too, or NULL: the image of a version */
    const struct field *fields;
    bool read_only;            /* list and show alone */
    bool is_numbered;          /* the key is a number */
    bool newest_first;         /* the order of a list */
    const char *what_needs_it; /* what stands in the way of removing it, in words */
    /* Before an insert or update: checks across fields, fills in; false with a refusal, or with *result other than DB_OK
     * (DB_UNDONE when it has asked for work: request_wait). */
    bool (*complete)(struct request *request, struct record *record, bool is_new,
                     enum db_result *result);
    /* In the same transaction, after an insert: adds to the answer what is shown only now. */
    enum db_result (*created)(struct request *request, const char *key);
    /* In the same transaction, after an update: what follows from the fields that were given. */
    enum db_result (*changed)(struct request *request, const struct record *record,
                              const char *key);
};

extern const struct object *const objects[]; /* ends in NULL */
extern const struct object object_versions;
extern const struct object *const object_logs[]; /* those that change by themselves; ends in NULL */

unsigned object_field_count(const struct object *object);
int object_field(const struct object *object, const char *column); /* has to be there */
struct db_value *record_value(struct record *record, const struct object *object,
                              const char *column);
char *record_buffer(struct record *record); /* MACS_BYTES that live as long as the record */

/* Fills the record from the request's body. False with a refusal, or with *result other than DB_OK. */
bool record_read(struct record *record, const struct object *object, struct request *request,
                 bool is_new, enum db_result *result);

/* A row of the fields' columns, in their order, as JSON. */
cJSON *record_show(const struct object *object, const struct db_rows *rows, uint32_t row);

/* The handlers. parent and key are of the path, NULL where the path has none. */
enum db_result object_handle(struct request *request, const struct object *object,
                             const char *parent, const char *key);

#endif
