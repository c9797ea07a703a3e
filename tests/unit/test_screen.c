// SPDX-License-Identifier: BSD-2-Clause
/* The supervisor's menus and notices: what the console is told, whose answer counts, and what is chosen without one. */
#include "services/supervisor/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/services.h"

struct leat_loop supervisor_loop;

static struct process console;
static struct {
    bool has_console;
    unsigned room; /* messages that the console still takes */
    unsigned sent_count;
    struct leat_ctl sent[100];
    unsigned chosen_count, index;
    bool by_timeout;
} world;

struct process *services_console(void)
{
    return world.has_console ? &console : NULL;
}

int process_send(struct process *process, const struct leat_ctl *message)
{
    assert_ptr_equal(process, &console);
    if (world.room == 0) {
        return LEAT_EAGAIN;
    }
    world.room--;
    world.sent[world.sent_count++] = *message;
    return LEAT_OK;
}

void leat_log(const char *format, ...)
{
    (void)format;
}

void leat_loop_timer(struct leat_loop *loop, struct leat_loop_timer *timer, leat_loop_fn fn,
                     void *context)
{
    *timer = (struct leat_loop_timer){0, fn, context, NULL};
    loop->timers = timer;
}

void leat_loop_timer_set(struct leat_loop *loop, struct leat_loop_timer *timer,
                         uint64_t deadline_ns)
{
    (void)loop;
    timer->deadline_ns = deadline_ns;
}

/* A round of the loop. */
static void run_loop(void)
{
    struct leat_loop_timer *timer = supervisor_loop.timers;

    if (timer->deadline_ns != 0) {
        timer->deadline_ns = 0;
        timer->fn(timer->context);
    }
}

static void chosen(void *context, unsigned index, bool by_timeout)
{
    assert_ptr_equal(context, &world);
    world.chosen_count++;
    world.index = index;
    world.by_timeout = by_timeout;
}

static int begin(void **state)
{
    (void)state;
    screen_close(); /* what the test before has left */
    memset(&world, 0, sizeof(world));
    world.has_console = true;
    world.room = 100;
    screen_init();
    return 0;
}

static const char *const labels[] = {"one", "two", "three"};

static void show_menu(void)
{
    screen_menu("title", labels, 3, 1, 9, chosen, &world);
}

/* The console's answer to the menu of that number. */
static void console_says(uint64_t index, uint64_t number, bool by_timeout)
{
    const struct leat_ctl message = {.op = LEAT_CTL_CHOSEN,
                                     .arg = {index, LEAT_CHOSEN(number, by_timeout)}};

    screen_chosen(&message);
}

static uint64_t number_of_menu(void)
{
    return world.sent[world.sent_count - 1].arg[1];
}

static void expect_sent(unsigned at, uint64_t op, const char *text)
{
    assert_true(at < world.sent_count);
    assert_int_equal(world.sent[at].op, LEAT_CTL_SCREEN);
    assert_int_equal(world.sent[at].arg[0], op);
    assert_string_equal(world.sent[at].text, text);
}

static void a_menu_is_sent_and_answered(void **state)
{
    (void)state;
    show_menu();
    assert_int_equal(world.sent_count, 5);
    expect_sent(0, LEAT_SCREEN_MENU, "title");
    assert_int_equal(world.sent[0].arg[1], 3);
    assert_int_equal(world.sent[0].arg[2], 1);
    assert_int_equal(world.sent[0].arg[3], 9);
    expect_sent(3, LEAT_SCREEN_LINE, "three");
    expect_sent(4, LEAT_SCREEN_SHOW, "");
    run_loop();
    assert_int_equal(world.chosen_count, 0);
    console_says(2, number_of_menu(), false);
    assert_int_equal(world.chosen_count, 1);
    assert_int_equal(world.index, 2);
    assert_false(world.by_timeout);
    console_says(1, number_of_menu(), false); /* once */
    assert_int_equal(world.chosen_count, 1);
    screen_close_to_vm(3);
    expect_sent(5, LEAT_SCREEN_CLOSE, "");
    assert_int_equal(world.sent[5].arg[1], 3);
    screen_close();
    assert_int_equal(world.sent_count, 6);
}

static void wrong_answers_do_not_count(void **state)
{
    uint64_t first;

    (void)state;
    console_says(0, 0, false);
    show_menu();
    first = number_of_menu();
    show_menu();
    console_says(0, first, true);
    console_says(3, number_of_menu(), false);
    console_says(UINT64_MAX, number_of_menu(), false);
    console_says(0, number_of_menu() + 1, false);
    assert_int_equal(world.chosen_count, 0);
    console_says(0, number_of_menu(), true);
    assert_int_equal(world.chosen_count, 1);
    assert_true(world.by_timeout);
}

static void without_a_console_the_default_is_chosen(void **state)
{
    (void)state;
    world.has_console = false;
    show_menu();
    assert_int_equal(world.chosen_count, 0); /* not inside the call */
    run_loop();
    assert_int_equal(world.chosen_count, 1);
    assert_int_equal(world.index, 1);
    assert_true(world.by_timeout);
    run_loop();
    assert_int_equal(world.chosen_count, 1);
    screen_close();
    screen_notice("notice", labels, 3, 0); /* nobody sees it */
}

static void a_console_that_dies_or_is_deaf(void **state)
{
    (void)state;
    show_menu();
    world.has_console = false;
    screen_forget_console();
    run_loop();
    assert_int_equal(world.chosen_count, 1);
    assert_int_equal(world.index, 1);
    screen_forget_console();
    run_loop();
    assert_int_equal(world.chosen_count, 1);
    world.has_console = true;
    for (world.room = 0; world.room < 5; world.room = world.sent_count + 1) {
        world.sent_count = world.chosen_count = 0;
        show_menu();
        run_loop();
        assert_int_equal(world.chosen_count, 1);
    }
}

static void a_menu_can_be_taken_back(void **state)
{
    (void)state;
    show_menu();
    screen_notice("notice", labels, 2, 10);
    expect_sent(5, LEAT_SCREEN_NOTICE, "notice");
    assert_int_equal(world.sent[5].arg[3], 10);
    expect_sent(8, LEAT_SCREEN_SHOW, "");
    console_says(0, number_of_menu(), false);
    show_menu();
    screen_close();
    console_says(0, number_of_menu(), false);
    screen_forget_console();
    run_loop();
    assert_int_equal(world.chosen_count, 0);
}

static void bounds_are_kept(void **state)
{
    const char *many[70];
    char longer[400];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (unsigned i = 0; i < 70; i++) {
        many[i] = longer;
    }
    screen_notice(longer, many, 70, 0);
    assert_int_equal(world.sent_count, LEAT_SCREEN_LINES + 2);
    assert_int_equal(strlen(world.sent[0].text), sizeof(world.sent[0].text) - 1);
    world.sent_count = 0;
    screen_menu("t", many, 70, 69, 0, chosen, &world);
    assert_int_equal(world.sent_count, LEAT_SCREEN_ENTRIES + 2);
    assert_int_equal(world.sent[0].arg[2], 0);
    assert_true(LEAT_SCREEN_ENTRIES + 2 <= PROCESS_BACKLOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_menu_is_sent_and_answered, begin),
        cmocka_unit_test_setup(wrong_answers_do_not_count, begin),
        cmocka_unit_test_setup(without_a_console_the_default_is_chosen, begin),
        cmocka_unit_test_setup(a_console_that_dies_or_is_deaf, begin),
        cmocka_unit_test_setup(a_menu_can_be_taken_back, begin),
        cmocka_unit_test_setup(bounds_are_kept, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
