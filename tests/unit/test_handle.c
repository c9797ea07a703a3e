// SPDX-License-Identifier: BSD-2-Clause
/* Handles name what they were made for, with their rights only; objects die with the last
 * reference; quotas add up. */
#include "kernel/handle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

_Noreturn void assert_failed(const char *what, const char *file, int line);
void *page_alloc(void);
void page_free(void *page);
void *kzalloc(size_t bytes);
void kfree(void *object);

void assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static unsigned pages, destroyed;

void *page_alloc(void)
{
    pages++;
    return calloc(1, 4096);
}

void page_free(void *page)
{
    pages--;
    free(page);
}

void *kzalloc(size_t bytes)
{
    return calloc(1, bytes);
}

void kfree(void *object)
{
    free(object);
}

static void destroy(struct object *object)
{
    destroyed++;
    free(object);
}

static const struct object_type mem_type = {OBJECT_MEM, "mem", destroy};

static struct object *new_object(struct quota *payer)
{
    struct object *object = malloc(sizeof(*object));
    assert_int_equal(quota_charge(payer, 3), LEAT_OK);
    object_init(object, &mem_type, payer, 3);
    return object;
}

static struct quota *new_quota(struct quota *parent, uint64_t pages_limit)
{
    struct quota *quota = malloc(sizeof(*quota));
    assert_int_equal(quota_init(quota, parent, pages_limit), LEAT_OK);
    return quota;
}

static void handles_keep_kind_and_rights(void **state)
{
    (void)state;
    struct quota *quota = new_quota(NULL, 10);
    struct handle_table table;
    struct object *object = new_object(quota), *found = NULL;
    handle_table_init(&table, quota);
    destroyed = 0;
    assert_int_equal(handle_get(&table, 1, OBJECT_ANY, 0, &found), LEAT_EBADF);
    assert_int_equal(handle_get(&table, UINT64_MAX, OBJECT_ANY, 0, &found), LEAT_EBADF);
    int64_t h = handle_add(&table, object, LEAT_RIGHT_READ | LEAT_RIGHT_GRANT);
    assert_true(h > 0);
    object_put(object);
    assert_int_equal(handle_get(&table, (uint64_t)h, OBJECT_NOTIF, 0, &found), LEAT_EBADF);
    assert_int_equal(handle_get(&table, (uint64_t)h, OBJECT_MEM, LEAT_RIGHT_WRITE, &found),
                     LEAT_EPERM);
    assert_null(found);
    assert_int_equal(handle_get(&table, (uint64_t)h, OBJECT_MEM, LEAT_RIGHT_READ, &found), LEAT_OK);
    assert_ptr_equal(found, object);
    assert_int_equal(handle_get(&table, 0, OBJECT_ANY, 0, &found), LEAT_EBADF);
    assert_int_equal(handle_close(&table, (uint64_t)h), LEAT_OK);
    assert_int_equal(handle_close(&table, (uint64_t)h), LEAT_EBADF);
    assert_int_equal(destroyed, 0);
    object_put(found);
    assert_int_equal(destroyed, 1);
    handle_table_clear(&table);
    assert_int_equal(quota->used_pages, 0);
    assert_int_equal(pages, 0);
    quota_put(quota);
}

static void a_table_is_bounded_and_clears(void **state)
{
    (void)state;
    struct quota *quota = new_quota(NULL, 1000);
    struct handle_table table;
    struct object *object = new_object(quota);
    handle_table_init(&table, quota);
    uint64_t count = 0;
    static uint8_t seen[HANDLES_PER_PAGE * HANDLE_PAGES];
    memset(seen, 0, sizeof(seen));
    for (int64_t h; (h = handle_add(&table, object, 0)) > 0; count++) {
        assert_true(h < (int64_t)sizeof(seen) && !seen[h]);
        seen[h] = 1;
    }
    assert_int_equal(count, HANDLES_PER_PAGE * HANDLE_PAGES - 1);
    assert_int_equal(object->refs, count + 1);
    handle_table_clear(&table);
    assert_int_equal(object->refs, 1);
    object_put(object);
    assert_int_equal(quota->used_pages, 0);
    quota_put(quota);
}

static void quota_comes_back_as_objects_die(void **state)
{
    (void)state;
    struct quota *root = new_quota(NULL, 100), *child = new_quota(root, 60), *grandchild;
    struct quota refused;
    assert_int_equal(quota_init(&refused, root, 41), LEAT_ENOMEM);
    assert_int_equal(quota_charge(child, 61), LEAT_ENOMEM);
    assert_int_equal(quota_charge(child, UINT64_MAX), LEAT_ENOMEM);
    grandchild = new_quota(child, 10);
    struct object *a = new_object(child), *b = new_object(grandchild);
    quota_retire(child); /* keeps 3 for a, 10 for the grandchild */
    assert_int_equal(root->used_pages, 13);
    assert_int_equal(quota_charge(child, 1), LEAT_ENOMEM);
    quota_retire(grandchild); /* gives 7 back, through the retired child */
    assert_int_equal(root->used_pages, 6);
    object_put(a);
    assert_int_equal(root->used_pages, 3);
    object_put(b);
    assert_int_equal(root->used_pages, 0);
    quota_put(grandchild);
    quota_put(child);
    quota_put(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_keep_kind_and_rights),
        cmocka_unit_test(a_table_is_bounded_and_clears),
        cmocka_unit_test(quota_comes_back_as_objects_die),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
