// SPDX-License-Identifier: BSD-2-Clause
/* What administrators make and change: docs/server.md, "Objects". The rules across fields are in complete.c. */
#include "tools/leatd/complete.h"
#include "tools/leatd/config.h"

#define NOTE FIELD("note", "note", FIELD_TEXT, .max = 500)
#define CREATED FIELD("created", "created", FIELD_SHOWN)
#define SIZE_MAX_BYTES ((int64_t)1 << 46) // of a disk: more the nbdkit plugin does not open
#define EXACT ((int64_t)1 << 53)          // numbers in JSON: json_integer

static const char a_client[] = "SELECT uuid FROM client WHERE uuid = $1 OR name = $1";
static const char a_group[] = "SELECT name FROM client_group WHERE name = $1";
static const char an_image[] = "SELECT name FROM image WHERE name = $1";
static const char a_disk[] = "SELECT name FROM disk WHERE name = $1";

static const struct field group_fields[] = {
    FIELD("name", "name", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FIXED),
    FIELD("menu_timeout", "menu_timeout", FIELD_NUMBER, .flags = FIELD_OR_NULL,
          .max = CONFIG_MENU_MOST),
    NOTE, CREATED, FIELDS_END};
static const struct object groups = {.path = "groups",
                                     .word = "group",
                                     .table = "client_group",
                                     .key = "name",
                                     .fields = group_fields,
                                     .what_needs_it = "clients are in it"};

static const struct field client_fields[] = {
    FIELD("uuid", "uuid", FIELD_UUID, .flags = FIELD_NEEDED | FIELD_FIXED | FIELD_FOUND),
    FIELD("name", "name", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FOUND),
    FIELD("group", "client_group", FIELD_NAME, .flags = FIELD_OR_NULL | FIELD_FILTER,
          .refers = a_group, .thing = "group"),
    FIELD("macs", "macs", FIELD_MACS, .flags = FIELD_FOUND),
    FIELD("enabled", "enabled", FIELD_TRUTH, .fallback = 1),
    FIELD("expires", "expires", FIELD_NUMBER, .max = EXACT),
    FIELD("psk", "psk", FIELD_HIDDEN),
    FIELD("chosen", "chosen", FIELD_SHOWN),
    NOTE,
    CREATED,
    FIELDS_END};
const struct object object_clients = {.path = "clients",
                                      .word = "client",
                                      .table = "client",
                                      .key = "uuid",
                                      .also_key = "name",
                                      .fields = client_fields,
                                      .what_needs_it = "it has differences",
                                      .complete = complete_client,
                                      .created = created_client};

static const struct field image_fields[] = {
    FIELD("name", "name", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FIXED),
    NOTE,
    CREATED,
    FIELD("versions", "(SELECT COUNT(*) FROM image_version AS v WHERE v.image = image.name)",
          FIELD_SHOWN, .flags = FIELD_MADE),
    FIELD("published",
          "(SELECT MAX(number) FROM image_version AS v WHERE v.image = image.name AND"
          " v.state = 'published')",
          FIELD_SHOWN, .flags = FIELD_MADE),
    FIELDS_END};
static const struct object images = {.path = "images",
                                     .word = "image",
                                     .table = "image",
                                     .key = "name",
                                     .fields = image_fields,
                                     .what_needs_it = "it has versions, or disks are made of it"};

static const char *const states[] = {"draft", "published", "withdrawn", NULL};
static const char *const formats[] = {"raw", "qcow2", NULL};
static const struct field version_fields[] = {
    FIELD("image", "image", FIELD_SHOWN),
    FIELD("number", "number", FIELD_SHOWN),
    FIELD("state", "state", FIELD_CHOICE, .choices = states),
    FIELD("source", "source", FIELD_TEXT, .flags = FIELD_NEEDED | FIELD_FIXED, .max = 1023),
    FIELD("format", "format", FIELD_CHOICE, .flags = FIELD_FIXED, .choices = formats),
    FIELD("size", "size", FIELD_NUMBER, .flags = FIELD_FIXED, .max = SIZE_MAX_BYTES),
    FIELD("content", "content", FIELD_TEXT, .flags = FIELD_OR_NULL | FIELD_FIXED, .max = 64),
    FIELD("root_hash", "root_hash", FIELD_TEXT, .flags = FIELD_OR_NULL | FIELD_FIXED, .max = 64),
    FIELD("root_blocks", "root_blocks", FIELD_NUMBER, .flags = FIELD_OR_NULL | FIELD_FIXED,
          .min = 1, .max = EXACT),
    FIELD("hash_source", "hash_source", FIELD_TEXT, .flags = FIELD_OR_NULL | FIELD_FIXED,
          .max = 1023),
    FIELD("kernel", "kernel", FIELD_TEXT, .flags = FIELD_OR_NULL, .max = 255),
    FIELD("kernel_size", "kernel_size", FIELD_SHOWN),
    FIELD("kernel_sha256", "kernel_sha256", FIELD_SHOWN),
    FIELD("initrd", "initrd", FIELD_TEXT, .flags = FIELD_OR_NULL, .max = 255),
    FIELD("initrd_size", "initrd_size", FIELD_SHOWN),
    FIELD("initrd_sha256", "initrd_sha256", FIELD_SHOWN),
    FIELD("cmdline", "cmdline", FIELD_TEXT, .max = 2047), // Linux' COMMAND_LINE_SIZE on x86
    NOTE,
    CREATED,
    FIELDS_END};
const struct object object_versions = {.path = "versions",
                                       .word = "version",
                                       .table = "image_version",
                                       .key = "number",
                                       .parent = "image",
                                       .is_numbered = true,
                                       .fields = version_fields,
                                       .what_needs_it = "disks, differences or sessions use it",
                                       .complete = complete_version};

static const char *const modes[] = {"read-only", "ram", "local", "server", "private", NULL};
static const struct field disk_fields[] = {
    FIELD("name", "name", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FIXED),
    FIELD("image", "image", FIELD_NAME, .flags = FIELD_OR_NULL | FIELD_FIXED, .refers = an_image,
          .thing = "image"),
    FIELD("version", "version", FIELD_NUMBER, .flags = FIELD_OR_NULL, .min = 1, .max = EXACT),
    FIELD("mode", "mode", FIELD_CHOICE, .flags = FIELD_FIXED, .choices = modes),
    FIELD("size", "size", FIELD_NUMBER, .flags = FIELD_FIXED, .max = SIZE_MAX_BYTES),
    FIELD("iops", "iops", FIELD_NUMBER, .max = 1000000000),
    FIELD("bandwidth", "bandwidth", FIELD_NUMBER, .max = EXACT),
    NOTE,
    CREATED,
    FIELDS_END};
const struct object object_disks = {.path = "disks",
                                    .word = "disk",
                                    .table = "disk",
                                    .key = "name",
                                    .fields = disk_fields,
                                    .what_needs_it = "it is assigned, or has differences",
                                    .complete = complete_disk};

static const char *const starts[] = {"menu", "always", NULL};
static const struct field assignment_fields[] = {
    FIELD("id", "id", FIELD_SHOWN),
    FIELD("client", "client", FIELD_TEXT, .flags = FIELD_OR_NULL | FIELD_FIXED | FIELD_FILTER,
          .max = 63, .refers = a_client, .thing = "client"),
    FIELD("group", "client_group", FIELD_NAME, .flags = FIELD_OR_NULL | FIELD_FIXED | FIELD_FILTER,
          .refers = a_group, .thing = "group"),
    FIELD("disk", "disk", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FIXED | FIELD_FILTER,
          .refers = a_disk, .thing = "disk"),
    FIELD("place", "place", FIELD_NUMBER, .max = 1000),
    FIELD("label", "label", FIELD_TEXT, .max = 63),
    FIELD("default", "is_default", FIELD_TRUTH),
    FIELD("start", "start_mode", FIELD_CHOICE, .choices = starts),
    FIELD("memory", "memory", FIELD_NUMBER, .max = 1 << 24),
    FIELD("cpus", "cpus", FIELD_NUMBER, .max = 256),
    CREATED,
    FIELDS_END};
const struct object object_assignments = {.path = "assignments",
                                          .word = "assignment",
                                          .table = "assignment",
                                          .key = "id",
                                          .fields = assignment_fields,
                                          .what_needs_it = "something uses it",
                                          .complete = complete_assignment};

static const struct field admin_fields[] = {
    FIELD("name", "name", FIELD_NAME, .flags = FIELD_NEEDED | FIELD_FIXED),
    FIELD("password", "password", FIELD_SECRET, .flags = FIELD_NEEDED),
    FIELD("enabled", "enabled", FIELD_TRUTH, .fallback = 1), CREATED, FIELDS_END};
const struct object object_admins = {.path = "admins",
                                     .word = "administrator",
                                     .table = "admin",
                                     .key = "name",
                                     .fields = admin_fields,
                                     .what_needs_it = "something uses it",
                                     .complete = complete_admin,
                                     .changed = changed_admin};

static const struct field token_fields[] = {FIELD("id", "id", FIELD_SHOWN),
                                            FIELD("admin", "admin", FIELD_SHOWN),
                                            FIELD("hash", "hash", FIELD_HIDDEN),
                                            FIELD("expires", "expires", FIELD_NUMBER,
                                                  .flags = FIELD_NEEDED | FIELD_FIXED, .min = 1,
                                                  .max = EXACT),
                                            NOTE,
                                            CREATED,
                                            FIELDS_END};
const struct object object_tokens = {.path = "tokens",
                                     .word = "token",
                                     .table = "api_token",
                                     .key = "id",
                                     .fields = token_fields,
                                     .what_needs_it = "something uses it",
                                     .complete = complete_token,
                                     .created = created_token};

static const struct field enrolment_fields[] = {
    FIELD("id", "id", FIELD_SHOWN),
    FIELD("group", "client_group", FIELD_NAME, .flags = FIELD_OR_NULL | FIELD_FIXED,
          .refers = a_group, .thing = "group"),
    FIELD("client", "client", FIELD_TEXT, .flags = FIELD_OR_NULL | FIELD_FIXED, .max = 63,
          .refers = a_client, .thing = "client"),
    FIELD("seconds", "seconds", FIELD_NUMBER, .flags = FIELD_NEEDED | FIELD_FIXED, .max = 31536000),
    FIELD("count", "places", FIELD_NUMBER, .flags = FIELD_FIXED, .min = 1, .max = 10000,
          .fallback = 1),
    FIELD("used", "used", FIELD_SHOWN),
    FIELD("expires", "expires", FIELD_SHOWN),
    FIELD("admin", "admin", FIELD_SHOWN),
    CREATED,
    FIELDS_END};
const struct object object_enrolments = {.path = "enrolments",
                                         .word = "enrolment window",
                                         .table = "enrolment",
                                         .key = "id",
                                         .fields = enrolment_fields,
                                         .what_needs_it = "something uses it",
                                         .complete = complete_enrolment};

const struct object *const objects[] = {&groups,        &object_clients,     &images,
                                        &object_disks,  &object_assignments, &object_admins,
                                        &object_tokens, &object_enrolments,  NULL};
