# SPDX-License-Identifier: BSD-2-Clause
# What a machine says to its leatd.
foreach(part client client_files client_servers client_session)
  leat_unit_test(test_${part} SOURCES unit/test_${part}.c unit/client_leatd.c unit/client_world.c
    LIBS client_side_host vdisk_tls_host)
endforeach()
leat_unit_test(test_client_answer SOURCES unit/test_client_answer.c LIBS client_side_host config_host)
leat_unit_test(test_client_process SOURCES unit/test_client_process.c unit/net_channel.c unit/tls_server.c
  LIBS client_process_host vdisk_secure_host vdisk_tls_host vdisk_channels_host leat_ring_host)
