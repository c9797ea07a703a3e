# SPDX-License-Identifier: BSD-2-Clause
leat_host_library(virtio_fake unit/virtio_fake.c unit/virtio_disk_fake.c ${CMAKE_SOURCE_DIR}/vmm/vm.c
  ${CMAKE_SOURCE_DIR}/vmm/bus.c ${CMAKE_SOURCE_DIR}/vmm/memory.c)
foreach(test test_virtqueue test_pci test_virtio_blk test_virtio_flow test_virtio_trouble
        test_virtio_random)
  leat_unit_test(${test} SOURCES unit/${test}.c LIBS vmm_virtio_host virtio_fake leat_ring_host)
  target_link_libraries(${test} PRIVATE vmm_virtio_host virtio_fake) # each calls the other
endforeach()
