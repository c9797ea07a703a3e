// SPDX-License-Identifier: BSD-2-Clause
/* What the supervisor makes of a server's offer, and of the JSON of a service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "services/supervisor/json_array.h"
#include "services/supervisor/offer.h"

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

static void test_arrays(void **state)
{
    static const char *const good[] = {"[]", "[{\"a\": [1,2]},3]", "[\"]\\\"]\"]", "[\"[\"]"};
    static const char *const bad[] = {"", "{}", "[", "[]]", "[{]}", "[\"]", "[1] ", "[\"\\", "[}"};
    char deep[100];

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(json_is_array(good[i]));
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(json_is_array(bad[i]));
    }
    memset(deep, '[', 40);
    memset(deep + 40, ']', 40);
    deep[80] = 0;
    assert_false(json_is_array(deep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),     cmocka_unit_test(test_no_choice),
        cmocka_unit_test(test_all_entries), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
