// SPDX-License-Identifier: BSD-2-Clause
/* What changes by itself, and administrators look at: sessions, leases, differences, events, audit. */
#include "tools/leatd/object.h"

#define SHOWN(name, column) FIELD(name, column, FIELD_SHOWN)
#define FILTER(name, column) FIELD(name, column, FIELD_SHOWN, .flags = FIELD_FILTER)
#define FOUND(name, column) FIELD(name, column, FIELD_SHOWN, .flags = FIELD_FOUND)

static const struct field session_fields[] = {SHOWN("id", "session.id"),
                                              FILTER("client", "client"),
                                              SHOWN("name", "client.name"),
                                              SHOWN("started", "started"),
                                              SHOWN("renewed", "renewed"),
                                              SHOWN("expires", "session.expires"),
                                              SHOWN("address", "address"),
                                              FIELD("macs", "session.macs", FIELD_MACS),
                                              SHOWN("version", "leat_version"),
                                              SHOWN("hardware", "hardware"),
                                              SHOWN("server", "server"),
                                              SHOWN("ended", "ended"),
                                              SHOWN("why", "why"),
                                              FIELD("report", "report", FIELD_JSON),
                                              FIELDS_END};
static const struct object sessions = {.path = "sessions",
                                       .word = "session",
                                       .table =
                                           "session JOIN client ON session.client = client.uuid",
                                       .key = "session.id",
                                       .fields = session_fields,
                                       .read_only = true,
                                       .newest_first = true};

static const struct field lease_fields[] = {
    SHOWN("id", "lease.id"),
    FILTER("session", "session"),
    SHOWN("client", "client.name"),
    SHOWN("disk", "disk"),
    FIELD("writer", "writer", FIELD_SHOWN, .flags = FIELD_IS_TRUTH),
    SHOWN("taken", "taken"),
    SHOWN("expires", "lease.expires"),
    SHOWN("read", "bytes_read"),
    SHOWN("written", "bytes_written"),
    FIELDS_END};
static const struct object leases = {.path = "leases",
                                     .word = "lease",
                                     .table = "lease JOIN session ON lease.session = session.id"
                                              " JOIN client ON session.client = client.uuid",
                                     .key = "lease.id",
                                     .fields = lease_fields,
                                     .read_only = true};

static const struct field difference_fields[] = {
    SHOWN("id", "id"),
    FILTER("disk", "disk"),
    FILTER("client", "client"),
    SHOWN("image", "image"),
    SHOWN("version", "version"),
    SHOWN("size", "size"),
    FIELD("dropped", "dropped", FIELD_SHOWN, .flags = FIELD_IS_TRUTH),
    SHOWN("created", "created"),
    FIELDS_END};
static const struct object differences = {.path = "differences",
                                          .word = "difference",
                                          .table = "difference",
                                          .key = "id",
                                          .fields = difference_fields,
                                          .read_only = true};

static const struct field profile_fields[] = {
    SHOWN("id", "profile_part.id"), SHOWN("image", "image"),
    SHOWN("version", "version"),    SHOWN("size", "size"),
    SHOWN("client", "client.name"), SHOWN("blocks", "blocks"),
    SHOWN("changed", "changed"),    FIELDS_END};
static const struct object profiles = {.path = "profiles",
                                       .word = "profile",
                                       .table = "profile_part JOIN client ON"
                                                " profile_part.client = client.uuid",
                                       .key = "profile_part.id",
                                       .fields = profile_fields,
                                       .read_only = true,
                                       .newest_first = true};

static const struct field event_fields[] = {SHOWN("id", "id"),
                                            SHOWN("at", "at"),
                                            FILTER("kind", "kind"),
                                            FILTER("client", "client"),
                                            FOUND("address", "address"),
                                            FOUND("message", "message"),
                                            FIELDS_END};
static const struct object events = {.path = "events",
                                     .word = "event",
                                     .table = "event",
                                     .key = "id",
                                     .fields = event_fields,
                                     .read_only = true,
                                     .newest_first = true};

static const struct field audit_fields[] = {
    SHOWN("id", "id"),           SHOWN("at", "at"),         FILTER("who", "who"),
    FOUND("address", "address"), FOUND("action", "action"), FOUND("object", "object"),
    SHOWN("before", "before"),   SHOWN("after", "after"),   FIELDS_END};
static const struct object audit = {.path = "audit",
                                    .word = "entry",
                                    .table = "audit",
                                    .key = "id",
                                    .fields = audit_fields,
                                    .read_only = true,
                                    .newest_first = true};

const struct object *const object_logs[] = {&sessions, &leases, &differences, &profiles,
                                            &events,   &audit,  NULL};
