// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/object.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/password.h"

#include <stdio.h>
#include <string.h>

unsigned object_field_count(const struct object *object)
{
    unsigned count = 0;
    while (object->fields[count].name)
        count++;
    return count;
}

int object_field(const struct object *object, const char *column)
{
    int i = 0;
    while (strcmp(object->fields[i].column, column))
        i++;
    return i;
}

struct db_value *record_value(struct record *record, const struct object *object,
                              const char *column)
{
    return &record->values[object_field(object, column)];
}

char *record_buffer(struct record *record)
{
    return record->buffers[record->buffers_used++];
}

/* What is wrong with the item, as the end of a sentence; NULL and the value if nothing. */
static const char *read_macs(struct record *record, const cJSON *item, struct db_value *value)
{
    char *text = record_buffer(record);
    size_t used = 0;
    text[0] = 0;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > 8)
        return "has to be an array of eight addresses at most";
    const cJSON *one;
    cJSON_ArrayForEach(one, item)
    {
        if (used)
            text[used++] = ' ';
        if (!cJSON_IsString(one) || !check_mac(text + used, one->valuestring))
            return "has an entry that is no MAC address";
        used += 17;
    }
    *value = db_str(text);
    return NULL;
}

static const char *read_choice(const struct field *field, const char *text, struct db_value *value)
{
    for (unsigned i = 0; field->choices[i]; i++)
        if (!strcmp(field->choices[i], text)) {
            *value = db_str(field->choices[i]);
            return NULL;
        }
    return "is none of the words that it can be";
}

static const char *read_text(struct record *record, const struct field *field, const char *text,
                             struct db_value *value)
{
    char *buffer;
    *value = db_str(text);
    switch (field->kind) {
    case FIELD_NAME:
        return check_name(text)
                   ? NULL
                   : "has to be 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit";
    case FIELD_UUID:
        buffer = record_buffer(record);
        if (!check_uuid(buffer, text))
            return "has to be a UUID";
        *value = db_str(buffer);
        return NULL;
    case FIELD_CHOICE:
        return read_choice(field, text, value);
    case FIELD_SECRET:
        return strlen(text) < PASSWORD_LEAST || strlen(text) > PASSWORD_MOST
                   ? "has to have 10 to 200 bytes"
                   : NULL;
    default:
        return strlen(text) > (size_t)field->max ? "is too long" : NULL;
    }
}

static const char *read_item(struct record *record, const struct field *field, const cJSON *item,
                             struct db_value *value)
{
    int64_t number;
    if (cJSON_IsNull(item) && field->flags & FIELD_OR_NULL) {
        *value = db_str(NULL);
        return NULL;
    }
    switch (field->kind) {
    case FIELD_NUMBER:
        if (!json_integer(item, &number) || number < field->min || number > field->max)
            return "is not a number in its range";
        *value = db_int(number);
        return NULL;
    case FIELD_TRUTH:
        *value = db_int(cJSON_IsTrue(item));
        return cJSON_IsBool(item) ? NULL : "has to be true or false";
    case FIELD_MACS:
        return read_macs(record, item, value);
    default:
        return cJSON_IsString(item) ? read_text(record, field, item->valuestring, value)
                                    : "has to be a text";
    }
}

static void set_default(const struct field *field, struct db_value *value)
{
    if (field->flags & FIELD_OR_NULL)
        *value = db_str(NULL);
    else if (field->kind == FIELD_NUMBER || field->kind == FIELD_TRUTH)
        *value = db_int(field->fallback);
    else
        *value = db_str(field->kind == FIELD_CHOICE ? field->choices[0] : "");
}

/* A reference becomes what the database has for it; false with a refusal if it has nothing. */
static bool resolve(struct record *record, const struct field *field, struct request *request,
                    struct db_value *value, enum db_result *result)
{
    struct db_rows rows;
    *result = db_query(request->leatd->db, field->refers, value, 1, &rows);
    if (*result != DB_OK)
        return false;
    bool found = rows.count;
    if (!found) {
        request_refuse(request, 422, "there is no %s %.64s", field->thing, value->data);
    } else {
        char *buffer = record_buffer(record);
        snprintf(buffer, MACS_BYTES, "%s", db_text(&rows, 0, 0));
        *value = db_str(buffer);
    }
    db_rows_free(&rows);
    return found;
}

static bool read_field(struct record *record, const struct field *field, struct db_value *value,
                       struct request *request, bool is_new, enum db_result *result)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request->body, field->name);
    const char *why = NULL;
    if (!item) {
        if (is_new && field->flags & FIELD_NEEDED)
            why = "is missing";
    } else if (!is_new && field->flags & FIELD_FIXED) {
        why = "cannot be changed";
    } else {
        why = read_item(record, field, item, value);
    }
    if (why)
        request_refuse(request, 422, "%s %s", field->name, why);
    if (why || !item)
        return !why;
    return !field->refers || value->kind != DB_TEXT ||
           resolve(record, field, request, value, result);
}

static bool is_inner(const struct field *field)
{
    return field->kind == FIELD_SHOWN || field->kind == FIELD_JSON || field->kind == FIELD_HIDDEN;
}

/* A name that the object does not have, or not from outside; NULL if there is none. */
static const char *unknown(const struct object *object, const cJSON *body)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, body)
    {
        const struct field *field = object->fields;
        while (field->name && (is_inner(field) || strcmp(field->name, item->string)))
            field++;
        if (!field->name)
            return item->string;
    }
    return NULL;
}

bool record_read(struct record *record, const struct object *object, struct request *request,
                 bool is_new, enum db_result *result)
{
    *result = DB_OK;
    memset(record, 0, sizeof *record);
    if (!request->body) {
        request_refuse(request, 400, "the request needs a JSON object");
        return false;
    }
    const char *stranger = unknown(object, request->body);
    if (stranger) {
        request_refuse(request, 422, "a %s has no %.*s that could be set", object->word,
                       check_cut(stranger, 64), stranger);
        return false;
    }
    for (unsigned i = 0; object->fields[i].name; i++) {
        const struct field *field = &object->fields[i];
        if (is_inner(field))
            continue;
        record->given[i] = cJSON_GetObjectItemCaseSensitive(request->body, field->name);
        if (is_new)
            set_default(field, &record->values[i]);
        if (!read_field(record, field, &record->values[i], request, is_new, result))
            return false;
    }
    return true;
}

static cJSON *show_macs(const char *text)
{
    cJSON *array = cJSON_CreateArray();
    while (*text) {
        char one[24];
        size_t size = strcspn(text, " ");
        snprintf(one, sizeof one, "%.*s", (int)size, text);
        cJSON_AddItemToArray(array, cJSON_CreateString(one));
        text += size + (text[size] == ' ');
    }
    return array;
}

cJSON *record_show(const struct object *object, const struct db_rows *rows, uint32_t row)
{
    cJSON *shown = cJSON_CreateObject();
    for (unsigned i = 0; object->fields[i].name; i++) {
        const struct field *field = &object->fields[i];
        const struct db_value *value = db_at(rows, row, i);
        if (field->kind == FIELD_SECRET || field->kind == FIELD_HIDDEN)
            continue;
        if (field->kind == FIELD_MACS)
            cJSON_AddItemToObject(shown, field->name, show_macs(db_text(rows, row, i)));
        else if (field->kind == FIELD_TRUTH || field->flags & FIELD_IS_TRUTH)
            cJSON_AddBoolToObject(shown, field->name, value->number != 0);
        else if (field->kind == FIELD_JSON && value->kind == DB_TEXT)
            cJSON_AddRawToObject(shown, field->name, value->data);
        else if (value->kind == DB_INT)
            cJSON_AddNumberToObject(shown, field->name, (double)value->number);
        else
            json_add_text(shown, field->name, value->data);
    }
    return shown;
}
