# SPDX-License-Identifier: BSD-2-Clause
leat_host_library(block_user unit/block_user.c unit/block_world.c unit/nvme_model.c)
foreach(test test_nvme test_nvme_trouble)
  leat_unit_test(${test} SOURCES unit/${test}.c LIBS block_user block_drivers_host block_match_host)
endforeach()
