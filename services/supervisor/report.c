// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/report.h"

#include <string.h>

#include <leat/client.h>
#include "lib/clock.h"
#include "lib/text.h"
#include "services/supervisor/json_array.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/services.h"
#include "services/supervisor/timeline.h"
#include "services/supervisor/vm.h"

#define PATIENCE_NS 1000000000ull
#define OUR_NUMBERS (1ull << 63) /* of LEAT_CTL_QUERY: the prompt counts from 0 */

static struct {
    report_done_fn done; /* NULL: none is made */
    uint64_t number;
    bool is_asked; /* vdisk owes its answer */
    struct leat_loop_timer timer;
    struct text disks;
    char disks_buffer[LEAT_CLIENT_REPORT_BYTES];
    char buffer[LEAT_CLIENT_REPORT_BYTES];
} report;

static void put_boot(struct text *text)
{
    unsigned count;
    const struct timeline_mark *marks = timeline_marks(&count);

    text_put(text, "{\"boot\":[");
    for (unsigned i = 0; i < count; i++) {
        text_put(text, i == 0 ? "{\"ms\":" : ",{\"ms\":");
        text_put_number(text, marks[i].ms);
        text_put(text, ",\"what\":");
        text_put_json(text, marks[i].what);
        text_put(text, "}");
    }
    text_put(text, "]");
}

static void put_vms(struct text *text)
{
    text_put(text, ",\"vms\":[");
    for (unsigned i = 0; i < vm_count(); i++) {
        text_put(text, i == 0 ? "{\"name\":" : ",{\"name\":");
        text_put_json(text, vm_config(i)->name);
        text_put(text, ",\"state\":");
        text_put_json(text, vm_state_name(i));
        text_put(text, "}");
    }
    text_put(text, "]");
}

/* The disks last: they alone may be too long, and are left out then. */
static void finish(bool has_disks)
{
    report_done_fn done = report.done;
    struct text text;
    size_t before;

    leat_loop_timer_set(&supervisor_loop, &report.timer, 0);
    report.done = NULL;
    report.is_asked = false;
    text_begin(&text, report.buffer, sizeof(report.buffer));
    put_boot(&text);
    put_vms(&text);
    before = text.used;
    text_put(&text, ",\"disks\":");
    text_put(&text, report.disks_buffer);
    text_put(&text, "}");
    if (!has_disks || text.is_cut || report.disks.is_cut || !json_is_array(report.disks_buffer)) {
        text_back(&text, before);
        text_put(&text, ",\"disks\":[]}");
    }
    if (!text.is_cut) {
        done(text.buffer, text.used);
    }
}

static void ask(void)
{
    struct process *vdisk = services_vdisk();

    text_begin(&report.disks, report.disks_buffer, sizeof(report.disks_buffer));
    report.number++;
    if (vdisk == NULL || process_send_text(vdisk, LEAT_CTL_QUERY, "", OUR_NUMBERS | report.number,
                                           LEAT_QUERY(LEAT_QUERY_JSON, 0, 0)) != LEAT_OK) {
        finish(false);
        return;
    }
    report.is_asked = true;
    leat_loop_timer_set(&supervisor_loop, &report.timer, leat_clock_ns() + PATIENCE_NS);
}

static void on_timer(void *context)
{
    (void)context;
    if (report.is_asked) {
        finish(false);
    } else if (prompt_is_asking()) {
        leat_loop_timer_set(&supervisor_loop, &report.timer, leat_clock_ns() + PATIENCE_NS);
    } else {
        ask();
    }
}

void report_init(void)
{
    leat_loop_timer(&supervisor_loop, &report.timer, on_timer, NULL);
}

void report_make(report_done_fn done)
{
    if (report.done == NULL) {
        report.done = done;
        on_timer(NULL);
    }
}

bool report_reply(const struct process *process, const struct leat_ctl *message)
{
    if ((message->arg[0] & OUR_NUMBERS) == 0) {
        return false;
    }
    if (report.is_asked && process == services_vdisk() &&
        message->arg[0] == (OUR_NUMBERS | report.number)) {
        text_put(&report.disks, message->text);
        if (message->arg[1] != 0) {
            finish(true);
        } else {
            leat_loop_timer_set(&supervisor_loop, &report.timer, leat_clock_ns() + PATIENCE_NS);
        }
    }
    return true;
}
