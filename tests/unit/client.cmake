# SPDX-License-Identifier: BSD-2-Clause
# What a machine says to its leatd.
leat_unit_test(test_client SOURCES unit/test_client.c unit/client_world.c LIBS client_side_host vdisk_tls_host)
leat_unit_test(test_client_answer SOURCES unit/test_client_answer.c LIBS client_side_host config_host)
