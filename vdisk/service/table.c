// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/table.h"

#include <stdio.h>
#include <string.h>

#define LEAST_COLUMNS 16u
#define CELL_BYTES 32u
#define NAME_COLUMNS 13u
#define BAR_CELLS 8u

/* At most 5 characters: "0", "999K", "41.5M", "2.0G". */
static void put_bytes(char *cell, uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    unsigned unit = 0;
    uint64_t tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
    while (tenths >= 10000 && unit < 5) {
        tenths /= 1024;
        unit++;
    }
    if (bytes < 1024)
        snprintf(cell, CELL_BYTES, "%s", bytes ? "<1K" : "0");
    else if (tenths < 1000 && unit)
        snprintf(cell, CELL_BYTES, "%u.%u%c", (unsigned)tenths / 10, (unsigned)tenths % 10,
                 units[unit]);
    else
        snprintf(cell, CELL_BYTES, "%u%c", (unsigned)(tenths / 10), units[unit]);
}

static void put_rate(char *cell, uint64_t rate)
{
    char bytes[CELL_BYTES];
    put_bytes(bytes, rate);
    snprintf(cell, CELL_BYTES, "%.8s%s", rate ? bytes : "-", rate ? "/s" : "");
}

/* At most 6 characters: "256us", "16ms", "1.4s", "90m", "27h". */
static void put_time(char *cell, uint64_t us)
{
    if (!us)
        snprintf(cell, CELL_BYTES, "0");
    else if (us < 1000)
        snprintf(cell, CELL_BYTES, "%uus", (unsigned)us);
    else if (us < 1000000)
        snprintf(cell, CELL_BYTES, "%ums", (unsigned)(us / 1000));
    else if (us < 100 * 1000000ull)
        snprintf(cell, CELL_BYTES, "%u.%us", (unsigned)(us / 1000000),
                 (unsigned)(us / 100000 % 10));
    else if (us < 100 * 60 * 1000000ull)
        snprintf(cell, CELL_BYTES, "%um", (unsigned)(us / 60000000));
    else if (us < 10000ull * 3600 * 1000000)
        snprintf(cell, CELL_BYTES, "%uh", (unsigned)(us / 3600000000ull));
    else
        snprintf(cell, CELL_BYTES, "long");
}

static void put_known_time(char *cell, uint64_t us)
{
    if (us)
        put_time(cell, us);
    else
        snprintf(cell, CELL_BYTES, "-");
}

static void put_name(char *cell, const struct table_row *row)
{
    size_t size = strlen(row->name), most = NAME_COLUMNS;
    /* Of a long name the end tells more: "...web1/database". */
    snprintf(cell, CELL_BYTES, "%s%s", size > most ? ".." : "",
             row->name + (size > most ? size - most + 2 : 0));
    for (char *c = cell; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool is_streaming(const struct vdisk_figures *f)
{
    return f->profile_there < f->profile_bytes;
}

static void put_streamed(char *cell, const struct table_row *row)
{
    static const char *const words[] = {[LEAT_BLK_CONNECTING] = "connecting",
                                        [LEAT_BLK_STALLED] = "server away",
                                        [LEAT_BLK_FAILED] = "failed"};
    const struct vdisk_figures *f = &row->figures;
    char bar[BAR_CELLS + 1];
    const char *word = f->state < sizeof words / sizeof words[0] ? words[f->state] : NULL;
    if (word || !f->profile_bytes) {
        snprintf(cell, CELL_BYTES, "%s", word ? word : "ready");
        return;
    }
    uint64_t percent = is_streaming(f) ? f->profile_there * 100 / f->profile_bytes : 100;
    for (unsigned i = 0; i < BAR_CELLS; i++)
        bar[i] = percent * BAR_CELLS >= (i + 1) * 100 ? '#' : '.';
    bar[BAR_CELLS] = 0;
    snprintf(cell, CELL_BYTES, "[%s]%3u%%", bar, (unsigned)percent);
}

static void put_rate_now(char *cell, const struct table_row *row)
{
    put_rate(cell, row->rate);
}

static void put_left(char *cell, const struct table_row *row)
{
    const struct vdisk_figures *f = &row->figures;
    if (is_streaming(f) && row->rate)
        put_time(cell, ((f->profile_bytes - f->profile_there) / row->rate + 1) * 1000000);
    else
        snprintf(cell, CELL_BYTES, "-");
}

static void put_ram(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.ram_bytes);
}

static void put_local(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.disk_bytes);
}

static void put_network(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.network_bytes);
}

static void put_hole(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.hole_bytes);
}

static void put_overlay(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.overlay_bytes);
}

static void put_written(char *cell, const struct table_row *row)
{
    put_bytes(cell, row->counters.written_bytes);
}

static void put_stall(char *cell, const struct table_row *row)
{
    put_time(cell, row->figures.stall_ns / 1000);
}

static void put_half(char *cell, const struct table_row *row)
{
    put_known_time(cell, row->figures.half_us);
}

static void put_most(char *cell, const struct table_row *row)
{
    put_known_time(cell, row->figures.most_us);
}

static void put_rtt(char *cell, const struct table_row *row)
{
    put_known_time(cell, row->figures.rtt_ns / 1000);
}

static void put_link(char *cell, const struct table_row *row)
{
    put_rate(cell, row->figures.link_rate);
}

static void put_waiting(char *cell, const struct table_row *row)
{
    snprintf(cell, CELL_BYTES, "%u", (unsigned)row->counters.waiting);
}

/* In the order of what is wanted most. */
static const struct column {
    const char *title;
    unsigned width;
    bool is_left;
    void (*put)(char *cell, const struct table_row *row);
} columns[] = {
    {"disk", NAME_COLUMNS, true, put_name},
    {"boot profile", BAR_CELLS + 6, true, put_streamed},
    {"rate", 7, false, put_rate_now},
    {"left", 5, false, put_left},
    {"RAM", 5, false, put_ram},
    {"local", 5, false, put_local},
    {"net", 5, false, put_network},
    {"hole", 5, false, put_hole},
    {"own", 5, false, put_overlay},
    {"waited", 6, false, put_stall},
    {"50%<", 5, false, put_half},
    {"99%<", 5, false, put_most},
    {"trip", 5, false, put_rtt},
    {"link", 7, false, put_link},
    {"written", 7, false, put_written},
    {"queue", 5, false, put_waiting},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

/* How many columns the first line takes: the name always. */
static unsigned first_columns(unsigned width)
{
    unsigned n = 1, used = columns[0].width;
    while (n < COLUMNS && used + 1 + columns[n].width <= width)
        used += 1 + columns[n++].width;
    return n;
}

void table_plan(struct table *t, unsigned width, unsigned rows, unsigned disks)
{
    width = width > TABLE_MOST_COLUMNS ? TABLE_MOST_COLUMNS : width;
    rows = rows > TABLE_MOST_ROWS ? TABLE_MOST_ROWS : rows;
    t->columns = width < LEAST_COLUMNS ? LEAST_COLUMNS : width;
    t->disks = t->shown = disks;
    unsigned room = rows > 3 ? rows - 1 : 2; /* but for the titles */
    bool has_more = first_columns(t->columns) < COLUMNS;
    t->each = has_more && disks <= room / 2 ? 2 : 1;
    if (disks * t->each > room)
        t->shown = room - 1; /* the last row counts the others */
}

static size_t put_cell(const struct column *c, const char *cell, char *line)
{
    int n = snprintf(line, CELL_BYTES + 1, c->is_left ? "%-*.*s" : "%*.*s", (int)c->width,
                     (int)c->width, cell);
    return n > 0 ? (size_t)n : 0;
}

static size_t trimmed(char *line, size_t used)
{
    while (used && line[used - 1] == ' ')
        used--;
    line[used] = 0;
    return used;
}

static size_t put_first(const struct table *t, const struct table_row *row, char *line)
{
    unsigned count = first_columns(t->columns);
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        char cell[CELL_BYTES];
        if (row)
            columns[i].put(cell, row);
        else
            snprintf(cell, sizeof cell, "%s", columns[i].title);
        if (i)
            line[used++] = ' ';
        used += put_cell(&columns[i], cell, line + used);
    }
    return trimmed(line, used);
}

/* What had no place in the first line, each with its title, as far as it fits. */
static size_t put_second(const struct table *t, const struct table_row *row, char *line)
{
    size_t used = 1;
    line[0] = ' ';
    for (unsigned i = first_columns(t->columns); i < COLUMNS; i++) {
        char cell[CELL_BYTES], both[2 * CELL_BYTES];
        columns[i].put(cell, row);
        int n = snprintf(both, sizeof both, " %s %s", columns[i].title, cell);
        if (n < 0 || used + (size_t)n > t->columns)
            break;
        memcpy(line + used, both, (size_t)n);
        used += (size_t)n;
    }
    return trimmed(line, used);
}

size_t table_head(const struct table *t, char *line)
{
    return put_first(t, NULL, line);
}

size_t table_line(const struct table *t, const struct table_row *row, unsigned which, char *line)
{
    return which ? put_second(t, row, line) : put_first(t, row, line);
}

size_t table_end(const struct table *t, char *line)
{
    if (t->shown == t->disks) {
        line[0] = 0;
        return 0;
    }
    int n = snprintf(line, t->columns + 1, "... and %u more", t->disks - t->shown);
    return n < 0 ? 0 : strlen(line);
}
