// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/answer.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES sizeof((struct leat_ctl *)0)->text
#define SAMPLE_LEAST_NS 200000000ull
#define SAMPLE_MOST_NS 10000000000ull

_Static_assert(TABLE_MOST_COLUMNS < LINE_BYTES, "a line of the table is one message");

static struct answer_disk *disk_now(struct answer *a)
{
    return a->disk(a->ctx, a->next);
}

/* False: no line, the disk has been done with. */
static bool state_line(struct answer *a, const struct answer_disk *d, char *line)
{
    size_t (*const lines[])(const struct vdisk_disk *, char *,
                            size_t) = {vdisk_query_line, vdisk_traffic_line, vdisk_speed_line};
    if (!d->disk && a->line == 0)
        snprintf(line, LINE_BYTES, "disk '%s': %s", d->name, d->why);
    else if (d->disk && a->line < sizeof lines / sizeof lines[0])
        lines[a->line](d->disk, line, LINE_BYTES);
    else
        return false;
    return true;
}

/* JSON may be broken after any comma that is not inside a string; names hold no quotes (report.c). */
static size_t json_break(const char *text, size_t most)
{
    size_t size = strlen(text), best = 0;
    bool is_string = false;
    if (size <= most)
        return size;
    for (size_t i = 0; i < most; i++) {
        is_string ^= text[i] == '"';
        if (text[i] == ',' && !is_string)
            best = i + 1;
    }
    return best ? best : most;
}

static bool json_line(struct answer *a, const struct answer_disk *d, char *line)
{
    if (a->line == 0) {
        size_t used = 0;
        if (d->disk)
            used = vdisk_json(d->disk, a->text, VDISK_JSON_BYTES);
        else
            used = (size_t)snprintf(a->text, sizeof a->text,
                                    "{\"disk\": \"%.63s\", \"failed\": true}", d->name);
        strcpy(a->text + used, a->disk(a->ctx, a->next + 1) ? "," : "");
        a->sent = 0;
    }
    const char *rest = a->text + a->sent + strspn(a->text + a->sent, " ");
    size_t size = json_break(rest, LINE_BYTES - 1);
    memcpy(line, rest, size);
    line[size] = 0;
    a->sent = (size_t)(rest - a->text) + size;
    return size != 0;
}

/* Over about the time between two tables. */
static void sample(struct answer_disk *d, uint64_t bytes, uint64_t now_ns)
{
    uint64_t span = now_ns - d->sampled_ns;
    if (span < SAMPLE_LEAST_NS && d->sampled_ns)
        return;
    d->rate = 0;
    if (d->sampled_ns && span < SAMPLE_MOST_NS)
        d->rate = (bytes - d->sampled_bytes) * 1000 / (span / 1000000);
    d->sampled_ns = now_ns;
    d->sampled_bytes = bytes;
}

static bool table_text(struct answer *a, struct answer_disk *d, char *line, uint64_t now_ns)
{
    struct table_row row = {.name = d->name, .figures.state = LEAT_BLK_FAILED};
    if (a->line >= a->table.each)
        return false;
    if (d->disk) {
        vdisk_figures_of(d->disk, &row.figures);
        vdisk_counters_of(d->disk, &row.counters);
        sample(d, row.figures.delivered_bytes, now_ns);
        row.rate = d->rate;
    }
    table_line(&a->table, &row, a->line, line);
    return true;
}

static bool line_of(struct answer *a, struct answer_disk *d, char *line, uint64_t now_ns)
{
    switch (a->what) {
    case LEAT_QUERY_JSON:
        return json_line(a, d, line);
    case LEAT_QUERY_TABLE:
        return table_text(a, d, line, now_ns);
    default:
        return state_line(a, d, line);
    }
}

static void say(struct answer *a, const char *line)
{
    a->send(a->ctx, line, a->number, false);
}

static void end(struct answer *a)
{
    char line[LINE_BYTES] = "";
    if (a->what == LEAT_QUERY_JSON)
        strcpy(line, "]");
    else if (a->what == LEAT_QUERY_TABLE)
        table_end(&a->table, line);
    a->is_on = false;
    a->send(a->ctx, line, a->number, true);
}

bool answer_go_on(struct answer *a, uint64_t now_ns)
{
    for (unsigned i = 0; a->is_on && i < ANSWER_LINES; i++) {
        char line[LINE_BYTES];
        struct answer_disk *d = disk_now(a);
        if (!d || (a->what == LEAT_QUERY_TABLE && a->next == a->table.shown)) {
            end(a);
        } else if (line_of(a, d, line, now_ns)) {
            a->line++;
            say(a, line);
        } else {
            a->next++;
            a->line = 0;
        }
    }
    return a->is_on;
}

void answer_begin(struct answer *a, uint64_t number, uint64_t what, uint64_t now_ns)
{
    char line[LINE_BYTES];
    unsigned disks = 0;
    while (a->disk(a->ctx, disks))
        disks++;
    a->is_on = true;
    a->number = number;
    a->what = LEAT_QUERY_WHAT(what);
    a->next = a->line = 0;
    if (a->what == LEAT_QUERY_JSON)
        say(a, "[");
    if (a->what == LEAT_QUERY_TABLE) {
        table_plan(&a->table, LEAT_QUERY_COLUMNS(what), LEAT_QUERY_ROWS(what), disks);
        table_head(&a->table, line);
        say(a, line);
    }
    answer_go_on(a, now_ns);
}
