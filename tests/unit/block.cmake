# SPDX-License-Identifier: BSD-2-Clause
foreach(name ata ahci)
  foreach(test test_${name} test_${name}_faults)
    leat_unit_test(${test} SOURCES unit/${test}.c unit/${name}_fixture.c unit/${name}_model.c
                   unit/${name}_model_commands.c unit/block_world.c LIBS block_drivers_host block_match_host)
  endforeach()
endforeach()
