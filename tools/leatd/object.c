// SPDX-License-Identifier: BSD-2-Clause
/*
 * List, show, create, change and remove of any object. Statements are put together from the names of tables and columns
 * in the descriptions, which are constants; values are parameters.
 */
#include "tools/leatd/statement.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those that a flag does not leave out; the first field has none. */
static void say_columns(struct statement *s, const struct object *object, unsigned without)
{
    for (unsigned i = 0; object->fields[i].name; i++)
        if (!(object->fields[i].flags & without))
            statement_say(s, "%s%s", i ? ", " : "", object->fields[i].column);
}

static struct db_value key_value(const struct object *object, const char *key)
{
    return object->is_numbered ? db_int(strtoll(key, NULL, 10)) : db_str(key);
}

static void say_where(struct statement *s, const struct object *object, const char *parent,
                      const char *key)
{
    statement_say(s, " WHERE (%s = ", object->key);
    statement_parameter(s, key_value(object, key));
    if (object->also_key) {
        statement_say(s, " OR %s = ", object->also_key);
        statement_parameter(s, db_str(key));
    }
    statement_say(s, ")");
    if (object->parent) {
        statement_say(s, " AND %s = ", object->parent);
        statement_parameter(s, db_str(parent));
    }
}

static void refuse_missing(struct request *request, const struct object *object, const char *key)
{
    request_refuse(request, 404, "there is no %s %.64s", object->word, key);
}

/* The object as it is shown; NULL with a refusal, or with *result other than DB_OK. */
static cJSON *load(struct request *request, const struct object *object, const char *parent,
                   const char *key, enum db_result *result)
{
    struct statement s = {.used = 0};
    struct db_rows rows;
    statement_say(&s, "SELECT ");
    say_columns(&s, object, 0);
    statement_say(&s, " FROM %s", object->table);
    say_where(&s, object, parent, key);
    *result = db_query(request->leatd->db, s.text, s.values, s.count, &rows);
    if (*result != DB_OK)
        return NULL;
    cJSON *shown = rows.count ? record_show(object, &rows, 0) : NULL;
    if (!shown)
        refuse_missing(request, object, key);
    db_rows_free(&rows);
    return shown;
}

static void answer_with(struct request *request, int status, cJSON *shown)
{
    request_answer(request, status);
    cJSON_Delete(request->answer);
    request->answer = shown;
}

static enum db_result show(struct request *request, const struct object *object, const char *parent,
                           const char *key)
{
    enum db_result result;
    cJSON *shown = load(request, object, parent, key, &result);
    if (shown)
        answer_with(request, 200, shown);
    return result;
}

/* What a list is in the order of: the name that people gave, where there is one. */
static const char *list_key(const struct object *object)
{
    return object->also_key ? object->also_key : object->key;
}

static void show_list(struct request *request, const struct object *object,
                      const struct db_rows *rows)
{
    cJSON *answer = request_answer(request, 200);
    cJSON *items = cJSON_AddArrayToObject(answer, "items");
    uint32_t shown = rows->count > request->limit ? (uint32_t)request->limit : rows->count;
    for (uint32_t i = 0; i < shown; i++)
        cJSON_AddItemToArray(items, record_show(object, rows, i));
    if (shown == rows->count) {
        cJSON_AddNullToObject(answer, "next");
        return;
    }
    const struct db_value *last =
        db_at(rows, shown - 1, (uint32_t)object_field(object, list_key(object)));
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, last->number);
    cJSON_AddStringToObject(answer, "next", last->kind == DB_INT ? number : last->data);
}

static enum db_result list(struct request *request, const struct object *object, const char *parent)
{
    struct statement s = {.used = 0};
    struct db_rows rows;
    statement_say(&s, "SELECT ");
    say_columns(&s, object, 0);
    statement_say(&s, " FROM %s", object->table);
    if (object->parent) {
        statement_where(&s);
        statement_say(&s, "%s = ", object->parent);
        statement_parameter(&s, db_str(parent));
    }
    if (request->after) {
        statement_where(&s);
        statement_say(&s, "%s %c ", list_key(object), object->newest_first ? '<' : '>');
        statement_parameter(&s, key_value(object, request->after));
    }
    if (!statement_filter(&s, object->fields, request))
        return DB_OK;
    statement_say(&s, " ORDER BY %s%s LIMIT ", list_key(object),
                  object->newest_first ? " DESC" : "");
    statement_parameter(&s,
                        db_int(request->limit + 1)); // one more says whether there is a next page
    enum db_result result = db_query(request->leatd->db, s.text, s.values, s.count, &rows);
    if (result != DB_OK)
        return result;
    show_list(request, object, &rows);
    db_rows_free(&rows);
    return DB_OK;
}

static void audit_name(char *name, size_t size, const struct object *object, const char *parent,
                       const char *key)
{
    if (object->parent)
        snprintf(name, size, "%s %.63s/%.63s", object->word, parent, key);
    else
        snprintf(name, size, "%s %.63s", object->word, key);
}

static enum db_result insert(struct request *request, const struct object *object,
                             const struct record *record)
{
    struct statement s = {.used = 0};
    statement_say(&s, "INSERT INTO %s (", object->table);
    say_columns(&s, object, FIELD_MADE);
    statement_say(&s, ") VALUES (");
    for (unsigned i = 0; object->fields[i].name; i++) {
        if (object->fields[i].flags & FIELD_MADE)
            continue;
        statement_say(&s, "%s", i ? ", " : "");
        statement_parameter(&s, record->values[i]);
    }
    statement_say(&s, ")");
    enum db_result result = db_run(request->leatd->db, s.text, s.values, s.count, NULL);
    if (result == DB_CONFLICT)
        request_refuse(request, 409, "there is such a %s already", object->word);
    return result == DB_CONFLICT ? DB_UNDONE : result;
}

static enum db_result create(struct request *request, const struct object *object,
                             const char *parent)
{
    struct record record;
    enum db_result result;
    char name[160], key[NAME_BYTES];
    if (!record_read(&record, object, request, true, &result))
        return result;
    if (object->parent)
        record.values[object_field(object, object->parent)] = db_str(parent);
    record.values[object_field(object, "created")] = db_int(leatd_now());
    if (object->complete && !object->complete(request, &record, true, &result))
        return result;
    const struct db_value *value = &record.values[object_field(object, object->key)];
    if (value->kind == DB_INT)
        snprintf(key, sizeof key, "%" PRId64, value->number);
    else
        snprintf(key, sizeof key, "%s", value->data);
    if ((result = insert(request, object, &record)) != DB_OK)
        return result;
    cJSON *shown = load(request, object, parent, key, &result);
    if (!shown)
        return result;
    audit_name(name, sizeof name, object, parent, key);
    result = journal_audit(request, "create", name, NULL, shown);
    answer_with(request, 201, shown);
    if (result == DB_OK && object->created)
        result = object->created(request, key);
    return result;
}

static enum db_result update(struct request *request, const struct object *object,
                             const char *parent, const char *key, const struct record *record)
{
    struct statement s = {.used = 0};
    statement_say(&s, "UPDATE %s SET ", object->table);
    for (unsigned i = 0; object->fields[i].name; i++) {
        if (!record->given[i])
            continue;
        statement_say(&s, "%s%s = ", s.count ? ", " : "", object->fields[i].column);
        statement_parameter(&s, record->values[i]);
    }
    if (!s.count) {
        request_refuse(request, 422, "the request changes nothing");
        return DB_UNDONE;
    }
    say_where(&s, object, parent, key);
    enum db_result result = db_run(request->leatd->db, s.text, s.values, s.count, NULL);
    if (result == DB_CONFLICT)
        request_refuse(
            request, 409,
            "the %s cannot be changed so: a name that is taken, or a version that is not there",
            object->word);
    return result == DB_CONFLICT ? DB_UNDONE : result;
}

static enum db_result change(struct request *request, const struct object *object,
                             const char *parent, const char *key)
{
    struct record record;
    enum db_result result;
    char name[160];
    if (!record_read(&record, object, request, false, &result) ||
        (object->complete && !object->complete(request, &record, false, &result)))
        return result;
    cJSON *before = load(request, object, parent, key, &result);
    if (!before)
        return result;
    // By the key that does not change, should the change be one of the name.
    const char *fixed = json_text(before, object->fields[object_field(object, object->key)].name);
    key = fixed ? fixed : key;
    result = update(request, object, parent, key, &record);
    if (result == DB_OK && object->changed)
        result = object->changed(request, &record, key);
    cJSON *after = result == DB_OK ? load(request, object, parent, key, &result) : NULL;
    if (after) {
        audit_name(name, sizeof name, object, parent, key);
        result = journal_audit(request, "change", name, before, after);
        answer_with(request, 200, after);
    }
    cJSON_Delete(before);
    return result;
}

static enum db_result take_away(struct request *request, const struct object *object,
                                const char *parent, const char *key)
{
    struct statement s = {.used = 0};
    enum db_result result;
    char name[160];
    cJSON *before = load(request, object, parent, key, &result);
    if (!before)
        return result;
    statement_say(&s, "DELETE FROM %s", object->table);
    say_where(&s, object, parent, key);
    result = db_run(request->leatd->db, s.text, s.values, s.count, NULL);
    audit_name(name, sizeof name, object, parent, key);
    if (result == DB_OK)
        result = journal_audit(request, "remove", name, before, NULL);
    cJSON_Delete(before);
    if (result == DB_CONFLICT)
        request_refuse(request, 409, "%s is still needed: %s", name, object->what_needs_it);
    else
        request_answer(request, 200);
    return result == DB_CONFLICT ? DB_UNDONE : result;
}

enum db_result object_handle(struct request *request, const struct object *object,
                             const char *parent, const char *key)
{
    if (object->is_numbered && key && !check_number(key)) {
        refuse_missing(request, object, key);
        return DB_OK;
    }
    if (object->is_numbered && request->after && !check_number(request->after)) {
        request_refuse(request, 400, "after has to be a number");
        return DB_OK;
    }
    if (!key && request->method == REQUEST_GET)
        return list(request, object, parent);
    if (key && request->method == REQUEST_GET)
        return show(request, object, parent, key);
    if (!object->read_only && !key && request->method == REQUEST_POST)
        return create(request, object, parent);
    if (!object->read_only && key && request->method == REQUEST_PATCH)
        return change(request, object, parent, key);
    if (!object->read_only && key && request->method == REQUEST_DELETE)
        return take_away(request, object, parent, key);
    request_refuse(request, 405, "that cannot be done to %s", object->path);
    return DB_OK;
}
