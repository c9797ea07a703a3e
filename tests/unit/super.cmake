# SPDX-License-Identifier: BSD-2-Clause
find_package(Threads REQUIRED)
leat_unit_test(test_ring SOURCES unit/test_ring.c LIBS leat_ring_host Threads::Threads)
leat_unit_test(test_args SOURCES unit/test_args.c LIBS leat_ring_host)
leat_unit_test(test_elf SOURCES unit/test_elf.c LIBS supervisor_parsers_host)
leat_unit_test(test_pci_scan SOURCES unit/test_pci_scan.c LIBS supervisor_parsers_host)
leat_unit_test(test_command SOURCES unit/test_command.c LIBS supervisor_parsers_host)
leat_unit_test(test_console_line SOURCES unit/test_console_line.c LIBS console_text_host)
leat_unit_test(test_console_text SOURCES unit/test_console_text.c LIBS console_text_host)
