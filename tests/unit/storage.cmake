# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_gpt SOURCES unit/test_gpt.c LIBS storage_parts_host)
leat_unit_test(test_wanted SOURCES unit/test_wanted.c LIBS storage_parts_host)
leat_unit_test(test_storage SOURCES unit/test_storage.c unit/fake_block.c LIBS storage_parts_host leat_ring_host)
leat_unit_test(test_store_channel SOURCES unit/test_store_channel.c unit/fake_block.c
  LIBS storage_parts_host vdisk_channels_host vdisk_store_host leat_ring_host)
leat_unit_test(test_store_restart SOURCES unit/test_store_restart.c unit/fake_block.c
  LIBS storage_parts_host vdisk_channels_host leat_ring_host)
leat_unit_test(test_store_rejoin SOURCES unit/test_store_rejoin.c ${CMAKE_SOURCE_DIR}/vdisk/service/local_disk.c
  LIBS vdisk_channels_host vdisk_store_host leat_ring_host)
