// SPDX-License-Identifier: BSD-2-Clause
/* The small parts of services/net: the Internet checksum against its definition, and the
 * configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/net/checksum.h"
#include "services/net/config.h"

/* RFC 1071, section 1, word by word. */
static uint16_t by_definition(const uint8_t *data, int length)
{
    uint32_t sum = 0;

    for (int i = 0; i < length; i += 2) {
        sum += (uint32_t)data[i] | (i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void checksum_is_the_internets(void **state)
{
    static uint8_t data[70000];

    (void)state;
    srand(1);
    for (int round = 0; round < 4000; round++) {
        int length = round < 3000 ? round % 300 : rand() % 65536, offset = rand() % 16;
        for (int i = 0; i < length; i++)
            data[offset + i] = round % 3 ? (uint8_t)rand() : 0xff;
        uint16_t wanted = by_definition(data + offset, length);
        assert_int_equal(net_checksum(data + offset, length), wanted);
    }
    assert_int_equal(net_checksum(data, 0), 0);
}

static const char *arguments;

static const char *get(const char *key, char *buf, size_t size)
{
    size_t key_length = strlen(key);

    for (const char *line = arguments; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > key_length && strncmp(line, key, key_length) == 0 && line[key_length] == '=') {
            snprintf(buf, size, "%.*s", (int)(length - key_length - 1), line + key_length + 1);
            return buf;
        }
        line += length + (line[length] == '\n');
    }
    return NULL;
}

static int read_config(struct net_config *config, const char *text, char *why)
{
    arguments = text;
    why[0] = 0;
    return net_config_read(config, get, why, 160);
}

static void good_configurations(void **state)
{
    struct net_config config;
    char why[160];

    (void)state;
    assert_int_equal(read_config(&config, "", why), LEAT_OK);
    assert_true(config.use_dhcp);
    assert_int_equal(read_config(&config, "mode=dhcp\nhostname=leat-1\ndns=8.8.8.8\n", why),
                     LEAT_OK);
    assert_string_equal(config.hostname, "leat-1");
    assert_int_equal(config.dns_count, 1);
    assert_int_equal(config.dns[0], 0x08080808);
    assert_int_equal(read_config(&config,
                                 "mode=static\naddress=192.168.1.7/20\ngateway=192.168.1.1\n"
                                 "dns=1.2.3.4, 5.6.7.8\n",
                                 why),
                     LEAT_OK);
    assert_false(config.use_dhcp);
    assert_int_equal(config.address, 0x0701a8c0);
    assert_int_equal(config.netmask, 0x00f0ffff);
    assert_int_equal(config.gateway, 0x0101a8c0);
    assert_int_equal(config.dns[1], 0x08070605);
    assert_int_equal(
        read_config(&config, "mode=static\naddress=10.0.0.1\nnetmask=255.0.0.0\n", why), LEAT_OK);
    assert_int_equal(config.netmask, 0xff);
    assert_int_equal(config.gateway, 0);
}

static void bad_configurations_name_the_key(void **state)
{
    static const struct {
        const char *text, *key;
    } cases[] = {
        {"mode=manual\n", "mode"},
        {"mode=static\n", "address"},
        {"mode=static\naddress=10.0.0.1\n", "netmask"},
        {"mode=static\naddress=10.0.0.1/0\n", "address"},
        {"mode=static\naddress=10.0.0.1/33\n", "address"},
        {"mode=static\naddress=10.0.0.1/8x\n", "address"},
        {"mode=static\naddress=10.0.0/8\nnetmask=x\n", "netmask"},
        {"mode=static\naddress=ten/8\n", "address"},
        {"mode=static\naddress=10.0.0.1\nnetmask=255.0.255.0\n", "netmask"},
        {"mode=static\naddress=10.0.0.1/8\ngateway=here\n", "gateway"},
        {"dns=1.1.1.1,2.2.2.2,3.3.3.3\n", "dns"},
        {"dns=one.one.one.one\n", "dns"},
    };
    struct net_config config;
    char why[160];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_config(&config, cases[i].text, why), LEAT_EINVAL);
        assert_non_null(strstr(why, cases[i].key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_the_internets),
        cmocka_unit_test(good_configurations),
        cmocka_unit_test(bad_configurations_name_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
