// SPDX-License-Identifier: BSD-2-Clause
/* JSON from outside, strictly; on top of cJSON, which is lenient. */
#ifndef LEATD_JSON_H
#define LEATD_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH 8u

/*
 * An object (RFC 8259), in UTF-8, with nothing but white space around it, at most JSON_DEPTH deep, without a name that an
 * object has twice, and without NUL and other control characters in strings and names. NULL with a sentence in *why.
 * cJSON_Delete frees it.
 */
cJSON *json_parse(const char *text, size_t size, const char **why);

/* The text of that name, NULL if there is none or it is no text. It belongs to the object. */
const char *json_text(const cJSON *object, const char *name);

/* A whole number that a double has exactly. */
bool json_integer(const cJSON *item, int64_t *number);

/* NULL becomes null. */
void json_add_text(cJSON *object, const char *name, const char *text);

#endif
