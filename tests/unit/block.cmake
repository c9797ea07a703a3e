# SPDX-License-Identifier: BSD-2-Clause
foreach(test ata ata_faults ahci ahci_faults ahci_link)
  string(REGEX REPLACE "_.*" "" name ${test})
  leat_unit_test(test_${test} SOURCES unit/test_${test}.c unit/${name}_fixture.c unit/${name}_model.c
                 unit/${name}_model_commands.c unit/disk_fixture.c unit/block_world.c
                 LIBS block_drivers_host block_match_host)
endforeach()
