# SPDX-License-Identifier: BSD-2-Clause
get_target_property(block_sources block_drivers SOURCES)
list(TRANSFORM block_sources PREPEND ${CMAKE_SOURCE_DIR}/drivers/block/)
set(LEAT_FUZZER_FLAGS -DWORLD_DATA_BYTES=65536)
leat_fuzzer(fuzz_block fuzz/fuzz_block.c unit/block_user.c unit/block_world.c unit/nvme_model.c unit/virtio_blk_model.c
            ${block_sources})
unset(LEAT_FUZZER_FLAGS)
