// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/clean.h"

#include "tools/leatd/brought.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/upload.h"
#include "tools/leatd/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 64 // at one go

/* What imports have left, and differences: these have names that never come again, so that any process may remove one. */
static const struct kind {
    size_t folder;       // of struct config
    const char *ends[2]; // of what was being made beside the file
    // Behind an id, how many at most, and whose: the id, and whether there is more than what was being made.
    const char *find;
    const char *forget; // the id, whose, and whether that was so
    bool by_process;    // without it: not whose
} kinds[CLEAN_KINDS] = {
    {offsetof(struct config, images),
     {UPLOAD_SUFFIX, UPLOAD_SUFFIX ".new"}, // the second: leat-difference's
     "SELECT name, whole FROM brought WHERE dropping = 1 AND name > $1 AND remover = $3"
     " ORDER BY name LIMIT $2",
     "DELETE FROM brought WHERE name = $1 AND dropping = 1 AND remover = $2 AND whole = $3",
     true},
    {offsetof(struct config, differences),
     {".new"},
     "SELECT id, 1 FROM difference WHERE dropped = 1 AND id > $1 ORDER BY id LIMIT $2",
     "DELETE FROM difference WHERE id = $1 AND dropped = 1",
     false},
};

struct cleaning {
    struct work work;
    struct leatd *leatd;
    struct brought_hold hold;
    struct db_rows rows[CLEAN_KINDS]; // ids, and whether there is a file of that name itself
    bool are_gone[CLEAN_KINDS][MOST];
};

static enum db_result find_dropped(void *context)
{
    struct cleaning *c = context;
    enum db_result result = brought_take_over(c->leatd);
    for (unsigned i = 0; i < CLEAN_KINDS && result == DB_OK; i++) {
        struct db_value values[] = {db_str(c->leatd->clean.after[i]), db_int(MOST),
                                    db_str(c->leatd->instance)};
        db_rows_free(&c->rows[i]);
        result =
            db_query(c->leatd->db, kinds[i].find, values, kinds[i].by_process ? 3 : 2, &c->rows[i]);
    }
    return result;
}

static enum db_result forget_removed(void *context)
{
    struct cleaning *c = context;
    enum db_result result = DB_OK;
    for (unsigned i = 0; i < CLEAN_KINDS; i++)
        for (uint32_t row = 0; row < c->rows[i].count && result == DB_OK; row++) {
            struct db_value values[] = {db_str(db_text(&c->rows[i], row, 0)),
                                        db_str(c->leatd->instance),
                                        db_int(db_number(&c->rows[i], row, 1))};
            if (c->are_gone[i][row])
                result = db_run(c->leatd->db, kinds[i].forget, values, kinds[i].by_process ? 3 : 1,
                                NULL);
        }
    return result;
}

/* Whether the log is to name the file: once, and so many at most. */
static bool is_news(struct clean_state *state, const char *id)
{
    for (unsigned i = 0; i < state->named_count; i++)
        if (!strcmp(state->named[i], id))
            return false;
    if (state->named_count == CLEAN_NAMED)
        return false;
    snprintf(state->named[state->named_count++], CLEAN_ID_BYTES, "%s", id);
    return true;
}

static bool remove_file(struct clean_state *state, const char *folder, const char *id,
                        const char *end)
{
    char path[CONFIG_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s%s", folder, id, end);
    if (!unlink(path) || errno == ENOENT)
        return true;
    int error = errno;
    if (is_news(state, id))
        leatd_log("%s cannot be removed, and is tried again: %s", path, strerror(error));
    return false;
}

/* What was removed stays so after a loss of power. */
static bool sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = file >= 0 && !fsync(file);
    if (!ok)
        leatd_log("%s cannot be synced: %s", folder, strerror(errno));
    if (file >= 0)
        close(file);
    return ok;
}

static void remove_kind(struct cleaning *c, unsigned kind)
{
    const char *folder = (const char *)&c->leatd->config + kinds[kind].folder;
    const struct db_rows *rows = &c->rows[kind];
    struct clean_state *state = &c->leatd->clean; // what is named is this thread's
    for (uint32_t i = 0; i < rows->count; i++) {
        const char *id = db_text(rows, i, 0);
        // Others may have taken over and a new file may have the name: the rest has its turn again.
        if (kinds[kind].by_process && !brought_holds(&c->hold))
            break;
        bool is_gone = !db_number(rows, i, 1) || remove_file(state, folder, id, "");
        for (unsigned n = 0; n < 2 && kinds[kind].ends[n] && is_gone; n++)
            is_gone = remove_file(state, folder, id, kinds[kind].ends[n]);
        c->are_gone[kind][i] = is_gone;
    }
    if (rows->count && !sync_folder(folder))
        memset(c->are_gone[kind], 0, sizeof c->are_gone[kind]);
}

static void remove_files(struct work *work)
{
    for (unsigned i = 0; i < CLEAN_KINDS; i++)
        remove_kind((struct cleaning *)work, i);
}

static void end(struct cleaning *c)
{
    c->leatd->cleaning = NULL;
    for (unsigned i = 0; i < CLEAN_KINDS; i++)
        db_rows_free(&c->rows[i]);
    free(c);
}

/* The rows last: a row without a file is forgotten at the next try, a file without a row never. */
static void forget_all(void *context)
{
    struct cleaning *c = context;
    bool any = false;
    for (unsigned i = 0; i < CLEAN_KINDS; i++)
        for (unsigned n = 0; n < MOST; n++)
            any |= c->are_gone[i][n];
    if (any)
        db_transact(c->leatd->db, forget_removed, c);
    end(c);
}

/* The next list goes on behind this one, so that what cannot be removed holds up no other. */
static void go_on_behind(struct cleaning *c)
{
    for (unsigned i = 0; i < CLEAN_KINDS; i++) {
        uint32_t count = c->rows[i].count;
        snprintf(c->leatd->clean.after[i], CLEAN_ID_BYTES, "%s",
                 count == MOST ? db_text(&c->rows[i], count - 1, 0) : "");
    }
}

void clean_begin(struct leatd *leatd)
{
    struct cleaning *c = leatd->cleaning ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    leatd->cleaning = c;
    c->leatd = leatd;
    c->hold = brought_hold(leatd);
    c->work.run = remove_files;
    bool is_found = db_transact(leatd->db, find_dropped, c) == DB_OK;
    if (is_found)
        go_on_behind(c);
    if (!is_found || !(c->rows[0].count + c->rows[1].count) ||
        !work_begin(WORK_CLEAN, &c->work, forget_all, c))
        end(c);
}
