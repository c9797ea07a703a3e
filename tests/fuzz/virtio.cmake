# SPDX-License-Identifier: BSD-2-Clause
set(fuzz_virtio_sources unit/virtio_fake.c ${CMAKE_SOURCE_DIR}/lib/ring.c)
foreach(source vm bus memory pci/bar pci/function pci/host pci/msix virtio/attach virtio/blk
        virtio/blk_request virtio/blkarea virtio/blkclient virtio/device virtio/disk virtio/pci
        virtio/pci_common virtio/virtqueue)
  list(APPEND fuzz_virtio_sources ${CMAKE_SOURCE_DIR}/vmm/${source}.c)
endforeach()
foreach(target fuzz_virtio_blk fuzz_pci)
  leat_fuzzer(${target} fuzz/${target}.c ${fuzz_virtio_sources})
endforeach()
leat_fuzzer(fuzz_virtqueue fuzz/fuzz_virtqueue.c ${CMAKE_SOURCE_DIR}/vmm/virtio/virtqueue.c
  ${CMAKE_SOURCE_DIR}/vmm/memory.c)
