// SPDX-License-Identifier: BSD-2-Clause
/* leat.conf: disks that VMs share, mode server, profiles, and the keys for servers with TLS. */
#include "tests/unit/config_fixture.h"

#include <string.h>

static void test_shared_disks(void **state)
{
    (void)state;
#define TWO_VMS "[vm a]\nmemory=64M\nkernel=k\ndisks=d\n[vm b]\nmemory=64M\nkernel=k\ndisks=d\n"
    assert_int_equal(parse("[disk d]\nserver=s\nmode=ram\n" TWO_VMS), 0);
    assert_int_equal(parse("[disk d]\nserver=s\nread_only=yes\n" TWO_VMS), 0);
    expect_error("[disk d]\nserver=s\n" TWO_VMS, 10,
                 "leat.conf line 10: [vm b] disks = d: used by VM a too; two VMs can share it with "
                 "mode = ram only");
    expect_error(
        "[server]\naddress=s\n[disk d]\n[disk e]\nmode=ram\nexport=d\n", 4,
        "leat.conf line 4: [disk e] same export as another disk, and one of them writes to "
        "it (mode = private)");
}

static void test_layers(void **state)
{
    (void)state;
    char name[LEAT_CONFIG_EXPORT];
#define LAYER "[disk d]\nserver=s\nmode=server\n"
    assert_int_equal(parse(LAYER "client_export=vms/{vm}.img\nclient_servers=t, u:1\n"
                                 "client_layer=holes\n" TWO_VMS),
                     0);
    assert_int_equal(config.disks[0].mode, LEAT_CONFIG_LAYER);
    assert_string_equal(config.disks[0].client_servers, "t, u:1");
    assert_true(config.disks[0].client_holes);
    leat_config_client_export(&config.disks[0], "web", name);
    assert_string_equal(name, "vms/web.img");
    assert_int_equal(parse(LAYER "client_export=c\nclient_layer=depth\n"), 0);
    assert_false(config.disks[0].client_holes);
    leat_config_client_export(&config.disks[0], "web", name);
    assert_string_equal(name, "c");
    expect_error(LAYER, 1,
                 "leat.conf line 1: [disk d] mode = server needs client_export: the export of each "
                 "VM's own over this image");
    expect_error(LAYER "client_export=c\n" TWO_VMS, 12,
                 "leat.conf line 12: [vm b] disks = d: used by VM a too; then its client_export "
                 "needs {vm} in it");
    expect_error(LAYER "client_export=d\n", 1,
                 "leat.conf line 1: [disk d] client_export is the shared export itself");
    expect_error(LAYER "client_export=c\nread_only=yes\n", 1,
                 "leat.conf line 1: [disk d] mode = server is for disks that are written: take "
                 "read_only out");
    assert_int_equal(parse(LAYER "client_export=c\nroot_hash=" HASH ":2:5\n"), 0);
    assert_string_equal(config.disks[0].root_hash, HASH ":2:5");
    assert_int_equal(parse(LAYER "client_export=c\nroot_hash=" HASH ":2:1\n"), -1);
    assert_int_equal(parse(LAYER "client_export=c\nroot_hash=" HASH ":2:\n"), -1);
    expect_error(LAYER "client_export=c\n[disk e]\nserver=s\nmode=server\nclient_export=c\n", 5,
                 "leat.conf line 5: [disk e] another disk has the same client_export, and both "
                 "would write to it");
    expect_error(
        "[disk d]\nserver=s\nclient_export=c\n", 1,
        "leat.conf line 1: [disk d] client_export, client_servers and client_layer are for "
        "mode = server");
    expect_error(LAYER "client_export={vm}{vm}\n", 4,
                 "leat.conf line 4: [disk d] client_export = {vm}{vm}: has {vm} twice");
    expect_error(LAYER "client_servers=a,b,c,d,e\n", 4,
                 "leat.conf line 4: [disk d] client_servers = a,b,c,d,e: names more than four "
                 "servers");
    expect_error(LAYER "client_layer=zeros\n", 4,
                 "leat.conf line 4: [disk d] client_layer = zeros: must be depth or holes");
}

static void test_profiles(void **state)
{
    (void)state;
    assert_int_equal(parse("[server]\naddress=h\n[disk a]\n[disk b]\nprofile=no\n"
                           "[disk c]\nprofile_file = profiles/debian\n"),
                     0);
    assert_true(config.disks[0].profile);
    assert_string_equal(config.disks[0].profile_file, "");
    assert_false(config.disks[1].profile);
    assert_string_equal(config.disks[2].profile_file, "profiles/debian");
    expect_error("[server]\naddress=h\n[disk a]\nprofile=no\nprofile_file=x\n", 3,
                 "leat.conf line 3: [disk a] profile = no, and a profile_file");
}

#define HEX32 "0123456789abcdef0123456789ABCDEF"

static void test_tls(void **state)
{
    (void)state;
    const char *key = NULL;
    assert_int_equal(parse("[disk own]\ntls_psk = me:" HEX32 "\n"
                           "[disk plain]\ntls = no\n[disk shared]\n[disk again]\ntls=yes\n"
                           "[server]\naddress = a.b\ntls_ca = keys/ca.pem\ntls_cert = c\n"
                           "tls_key = k\ntls_name = disks.example\n"),
                     0);
    const struct leat_config_disk *d = config.disks;
    assert_string_equal(d[0].tls.psk, "me:" HEX32);
    assert_string_equal(d[0].tls.ca, ""); /* all of [server]'s, or nothing of them */
    assert_null(leat_config_key_file(&d[0].tls, 0, &key));
    assert_false(leat_config_has_keys(&d[1].tls));
    assert_string_equal(d[2].tls.ca, "keys/ca.pem");
    assert_string_equal(d[2].tls.server_name, "disks.example");
    assert_true(leat_config_same_keys(&d[2].tls, &d[3].tls));
    assert_false(leat_config_same_keys(&d[2].tls, &d[0].tls));
    assert_string_equal(leat_config_key_file(&d[3].tls, 2, &key), "k");
    assert_string_equal(key, "tls_key");
    assert_null(leat_config_key_file(&d[3].tls, 3, &key));
    leat_config_wipe_keys(&config);
    for (unsigned i = 0; i < sizeof(config.disks[0].tls.psk); i++)
        assert_int_equal(config.disks[0].tls.psk[i], 0);
}

static void test_tls_mistakes(void **state)
{
    (void)state;
    static const char *const both[][2] = {
        {"[server]\ntls_psk = " HEX32 "\n",
         "leat.conf line 2: [server] tls_psk: must be NAME:HEX, as psktool writes it"},
        {"[server]\ntls_psk = a:" HEX32 "x\n",
         "leat.conf line 2: [server] tls_psk: has a key that is not hexadecimal"},
        {"[server]\ntls_psk = a:0123456789abcdef\n",
         "leat.conf line 2: [server] tls_psk: has a key that is not of 16 to 64 bytes"},
        {"[server]\ntls_psk = a:" HEX32 "\ntls_psk = b:" HEX32 "\n",
         "leat.conf line 3: [server] tls_psk: given twice in this section"},
        {"[server]\ntls_pks = a:" HEX32 "\n",
         "leat.conf line 2: [server] tls_pks: unknown key in this section"},
        {"[server]\ntsl_psk = a:" HEX32 "\n",
         "leat.conf line 2: [server] tsl_psk: unknown key in this section"},
        {"[cache]\ntls_psk = a:" HEX32 "\n",
         "leat.conf line 2: [cache] tls_psk: unknown key in this section"},
        {"tls_psk = a:" HEX32 "\n", "leat.conf line 1: tls_psk: stands before the first [section]"},
        {"[server]\ntls_psk = a:" HEX32 "\ntls_psk_file = f\n",
         "leat.conf line 3: [server] tls_psk and tls_psk_file are the same thing: give one of "
         "them"},
        {"[server]\ntls_psk_file = f\ntls_ca = c\n",
         "leat.conf line 3: [server] a pre-shared key (tls_psk) and certificates (tls_ca ...) "
         "exclude each other"},
        {"[server]\ntls_name = x\n",
         "leat.conf line 2: [server] tls_ca is missing: nobody vouches for the server"},
        {"[server]\naddress=x\n[disk d]\ntls_ca = a\ntls_key = k\n",
         "leat.conf line 5: [disk d] tls_cert and tls_key need each other"},
        {"[server]\naddress=x\n[disk d]\ntls = no\ntls_ca = a\n",
         "leat.conf line 5: [disk d] tls = no, and keys for it"},
        {"[server]\naddress=x\n[disk d]\ntls = yes\n",
         "leat.conf line 4: [disk d] tls = yes needs keys: tls_psk, tls_psk_file or tls_ca, here "
         "or in [server]"},
        {"[server]\ntls_ca = ../x\n", NULL},
        {"[server]\ntls_ca =\n", "leat.conf line 2: [server] tls_ca: is empty"},
    };
    for (unsigned i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        assert_int_equal(parse(both[i][0]), -1);
        if (both[i][1] != NULL)
            assert_string_equal(error.text, both[i][1]);
        assert_null(strstr(error.text, "0123"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),     cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_mistakes), cmocka_unit_test(test_shared_disks),
        cmocka_unit_test(test_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
