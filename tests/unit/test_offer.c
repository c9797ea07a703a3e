// SPDX-License-Identifier: BSD-2-Clause
/* What the supervisor makes of a server's offer, and the JSON of its report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "services/supervisor/offer.h"
#include "services/supervisor/report_text.h"

static struct leat_client_offer given;
static struct offer offer;

static void add(const char *name, const char *label, bool always)
{
    struct leat_client_entry *entry = &given.entries[given.count++];

    strcpy(entry->name, name);
    strcpy(entry->label, label);
    entry->always = always;
}

static void test_choices(void **state)
{
    (void)state;
    given = (struct leat_client_offer){.chosen_first = 3, .timeout_s = 9};
    add("log", "", true);
    add("debian", "Debian 12", false);
    add("scratch", "", true);
    add("other", "", false);
    assert_null(offer_take(&offer, &given));
    assert_int_equal(offer.choices, 2);
    assert_int_equal(offer.always, 5);
    assert_int_equal(offer.chosen_first, 1);
    assert_string_equal(offer.label[0], "Debian 12");
    assert_string_equal(offer.label[1], "other");
    assert_int_equal(offer_chosen(&offer, 0), 7);
    assert_int_equal(offer_chosen(&offer, 1), 13);
    assert_int_equal(offer_find(&offer, "other"), 1);
    assert_int_equal(offer_find(&offer, "log"), -1);
}

static void test_no_choice(void **state)
{
    (void)state;
    given = (struct leat_client_offer){0};
    add("a", "", true);
    assert_null(offer_take(&offer, &given));
    assert_int_equal(offer.choices, 0);
    assert_int_equal(offer_chosen(&offer, 0), 1);
}

static void test_all_entries(void **state)
{
    (void)state;
    given = (struct leat_client_offer){.chosen_first = 1000};
    while (given.count < LEAT_CLIENT_ENTRIES) {
        add("d", "", false);
    }
    assert_null(offer_take(&offer, &given));
    assert_int_equal(offer.chosen_first, 0);
    assert_true(offer_chosen(&offer, 63) == 1ull << 63);
}

/* Nothing of it is trusted: counts, ends of texts. */
static void test_refused(void **state)
{
    (void)state;
    given = (struct leat_client_offer){0};
    assert_non_null(offer_take(&offer, &given));
    given.count = LEAT_CLIENT_ENTRIES + 1;
    assert_non_null(offer_take(&offer, &given));
    memset(&given, 'x', sizeof(given));
    given.count = LEAT_CLIENT_ENTRIES;
    for (unsigned i = 0; i < given.count; i++) {
        given.entries[i].always = 0;
    }
    assert_null(offer_take(&offer, &given));
    assert_int_equal(strlen(offer.label[0]), LEAT_CLIENT_LABEL - 1);
    assert_int_equal(strlen(offer.given.entries[1].name), 31);
    given.entries[5].name[0] = 0;
    assert_non_null(offer_take(&offer, &given));
}

static void test_json(void **state)
{
    char buffer[64];
    struct report_text text;
    size_t used;

    (void)state;
    report_text_begin(&text, buffer, sizeof(buffer));
    report_text_put(&text, "[");
    report_text_string(&text, "a\"b\\c\n\xc3\xa4");
    report_text_put(&text, ",");
    report_text_number(&text, 18446744073709551615ull);
    used = text.used;
    assert_string_equal(buffer, "[\"a\\u0022b\\u005cc\\u000a\xc3\xa4\",18446744073709551615");
    report_text_put(&text, "01234567890123456");
    assert_true(text.is_full);
    assert_int_equal(text.used, used);
    report_text_put(&text, "]"); /* nothing goes behind a gap */
    assert_int_equal(text.used, used);
    report_text_back(&text, used);
    report_text_put(&text, "]");
    assert_true(report_text_is_array(buffer));
}

static void test_arrays(void **state)
{
    static const char *const good[] = {"[]", "[{\"a\": [1,2]},3]", "[\"]\\\"]\"]", "[\"[\"]"};
    static const char *const bad[] = {"", "{}", "[", "[]]", "[{]}", "[\"]", "[1] ", "[\"\\", "[}"};
    char deep[100];

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(report_text_is_array(good[i]));
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(report_text_is_array(bad[i]));
    }
    memset(deep, '[', 40);
    memset(deep + 40, ']', 40);
    deep[80] = 0;
    assert_false(report_text_is_array(deep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),     cmocka_unit_test(test_no_choice),
        cmocka_unit_test(test_all_entries), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
