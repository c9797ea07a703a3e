# SPDX-License-Identifier: BSD-2-Clause
get_target_property(block_sources block_drivers SOURCES)
list(TRANSFORM block_sources PREPEND ${CMAKE_SOURCE_DIR}/drivers/block/)
list(APPEND block_sources fuzz/block_hostile.c unit/block_user.c unit/block_world.c)
set(LEAT_FUZZER_FLAGS -DWORLD_DATA_BYTES=262144)
leat_fuzzer(fuzz_ahci fuzz/fuzz_ahci.c unit/ahci_model.c unit/ahci_model_commands.c ${block_sources})
leat_fuzzer(fuzz_ata fuzz/fuzz_ata.c unit/ata_model.c unit/ata_model_commands.c ${block_sources})
leat_fuzzer(fuzz_block fuzz/fuzz_block.c unit/nvme_model.c unit/virtio_blk_model.c ${block_sources})
unset(LEAT_FUZZER_FLAGS)
