# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_ata SOURCES unit/test_ata.c unit/ata_model.c unit/ata_model_commands.c
               unit/block_world.c LIBS block_drivers_host block_match_host)
leat_unit_test(test_ahci SOURCES unit/test_ahci.c unit/ahci_model.c unit/ahci_model_commands.c
               unit/block_world.c LIBS block_drivers_host block_match_host)
