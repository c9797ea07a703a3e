// SPDX-License-Identifier: BSD-2-Clause
/* boot/dhcp: the boot server and file of a packet, wherever RFC 2132 lets them stand, and packets that are none. */
#include "boot/dhcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PACKET_BYTES 400u

static const uint8_t cookie[4] = {99, 130, 83, 99};

struct packet {
    uint8_t bytes[PACKET_BYTES];
    size_t used; /* of it, options included */
};

static struct packet plain(void)
{
    struct packet p = {.used = 240};
    memcpy(p.bytes + 236, cookie, sizeof(cookie));
    return p;
}

static void add(struct packet *p, uint8_t code, const void *value, uint8_t size)
{
    p->bytes[p->used] = code;
    p->bytes[p->used + 1] = size;
    memcpy(p->bytes + p->used + 2, value, size);
    p->used += 2u + size;
}

static void header_fields(void **state)
{
    struct packet p = plain();
    struct dhcp_boot boot;
    (void)state;
    memcpy(p.bytes + 20, "\x0a\x00\x00\x01", 4);
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot)); /* no file */
    strcpy((char *)p.bytes + 108, "boot/leat.efi");
    assert_true(dhcp_boot_of(p.bytes, p.used, &boot));
    assert_string_equal(boot.file, "boot/leat.efi");
    assert_memory_equal(boot.server, "\x0a\x00\x00\x01", 4);
    memset(p.bytes + 108, 'a', 128); /* the field is full, without a NUL */
    assert_true(dhcp_boot_of(p.bytes, p.used, &boot));
    assert_int_equal(strlen(boot.file), 128);
    memset(p.bytes + 20, 0, 4);
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot)); /* no server */
    p.bytes[236] = 0;
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot));
}

static void options(void **state)
{
    struct packet p = plain();
    struct dhcp_boot boot;
    (void)state;
    strcpy((char *)p.bytes + 108, "other");
    p.bytes[p.used++] = 0; /* pad */
    add(&p, 54, "\x0a\x00\x00\x02", 4);
    add(&p, 67, "leat.efi", 8);
    p.bytes[p.used++] = 255;
    assert_true(dhcp_boot_of(p.bytes, p.used, &boot));
    assert_string_equal(boot.file, "leat.efi"); /* the option goes before the field */
    assert_memory_equal(boot.server, "\x0a\x00\x00\x02", 4);
}

static void overloaded_fields(void **state)
{
    struct packet p = plain();
    struct dhcp_boot boot;
    (void)state;
    add(&p, 52, "\x03", 1);
    memcpy(p.bytes + 108, "\x43\x08leat.efi\xff", 11);
    memcpy(p.bytes + 44, "\x36\x04\x0a\x00\x00\x03\xff", 7);
    assert_true(dhcp_boot_of(p.bytes, p.used, &boot));
    assert_string_equal(boot.file, "leat.efi");
    assert_memory_equal(boot.server, "\x0a\x00\x00\x03", 4);
    p.bytes[108] = 255; /* what is behind the end is no name */
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot));
}

static void hostile(void **state)
{
    struct packet p = plain();
    struct dhcp_boot boot;
    (void)state;
    memcpy(p.bytes + 20, "\x0a\x00\x00\x01", 4);
    add(&p, 67, "leat\n.efi", 9);
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot));
    p = plain();
    memcpy(p.bytes + 20, "\x0a\x00\x00\x01", 4);
    add(&p, 67, "leat.efi", 8);
    p.bytes[241] = 200; /* it says that it is longer than the packet */
    assert_false(dhcp_boot_of(p.bytes, p.used, &boot));
    /* Each length, in memory of just that length, so that the sanitizer sees a byte too far. */
    for (size_t size = 0; size <= p.used; size++) {
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, p.bytes, size);
        uint8_t *exact = realloc(cut, size != 0 ? size : 1);
        dhcp_boot_of(exact, size, &boot);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_fields),
        cmocka_unit_test(options),
        cmocka_unit_test(overloaded_fields),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
