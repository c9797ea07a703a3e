# SPDX-License-Identifier: BSD-2-Clause
leat_host_library(block_user unit/block_user.c unit/block_cases.c unit/block_world.c unit/nvme_model.c
                  unit/virtio_blk_model.c)
foreach(test test_nvme test_nvme_trouble test_virtio_blk_driver test_virtio_blk_driver_trouble)
  leat_unit_test(${test} SOURCES unit/${test}.c LIBS block_user block_drivers_host block_match_host)
endforeach()
leat_unit_test(test_block_mmio SOURCES unit/test_block_mmio.c)
leat_unit_test(test_block_work SOURCES unit/test_block_work.c LIBS block_drivers_host)
leat_unit_test(test_virtio_both SOURCES unit/test_virtio_both.c
  LIBS block_drivers_host vmm_virtio_host virtio_fake leat_ring_host)
target_link_libraries(test_virtio_both PRIVATE vmm_virtio_host virtio_fake) # each calls the other
