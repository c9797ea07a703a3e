// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/json.h"

#include "tools/leatd/check.h"

#include <string.h>

#define EXACT 9007199254740991.0 // 2^53 - 1, RFC 8259, section 6

/*
 * What cJSON would let pass, or not live through: control characters as they are, and depth. Escapes are looked at by
 * check_strings when they have become characters; NUL would have become the end of the text, so it is looked for here.
 */
static const char *check_raw(const char *text, size_t size)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string && c == '\\') {
            if (size - i >= 6 && !memcmp(text + i + 1, "u0000", 5))
                return "a text has a NUL";
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            if (++depth > JSON_DEPTH)
                return "the JSON is nested too deeply";
        } else if (!in_string && (c == '}' || c == ']')) {
            depth -= depth > 0;
        } else if (!c) {
            return "the JSON has a NUL";
        }
    }
    return NULL;
}

static bool has_twin(const cJSON *item)
{
    for (const cJSON *other = item->next; other; other = other->next)
        if (!strcmp(item->string, other->string))
            return true;
    return false;
}

#define NAMES 64u // of one object: comparing each with each stays cheap

static bool is_good(const char *text)
{
    return !text || check_text(text, strlen(text));
}

static const char *check_tree(const cJSON *item)
{
    if (!is_good(item->string) || (cJSON_IsString(item) && !is_good(item->valuestring)))
        return "a text or a name is not UTF-8, or has control characters";
    const char *why = NULL;
    unsigned names = 0;
    for (const cJSON *child = item->child; child && !why; child = child->next) {
        if (child->string && (++names > NAMES || has_twin(child)))
            return "an object has a name twice, or too many names";
        why = check_tree(child);
    }
    return why;
}

cJSON *json_parse(const char *text, size_t size, const char **why)
{
    *why = check_raw(text, size);
    if (*why)
        return NULL;
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(text, size, &end, false);
    while (object && end < text + size && strchr(" \t\r\n", *end))
        end++;
    if (!object || end != text + size)
        *why = "the request is not JSON";
    else if (!cJSON_IsObject(object))
        *why = "the request has to be a JSON object";
    else
        *why = check_tree(object);
    if (!*why)
        return object;
    cJSON_Delete(object);
    return NULL;
}

const char *json_text(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

bool json_integer(const cJSON *item, int64_t *number)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= -EXACT && item->valuedouble <= EXACT))
        return false;
    *number = (int64_t)item->valuedouble;
    return (double)*number == item->valuedouble;
}

void json_add_text(cJSON *object, const char *name, const char *text)
{
    if (text)
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}
