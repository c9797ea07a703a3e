# SPDX-License-Identifier: BSD-2-Clause
set(K ${CMAKE_SOURCE_DIR}/kernel)
leat_unit_test(test_frame SOURCES unit/test_frame.c ${K}/frame.c)
leat_unit_test(test_handle SOURCES unit/test_handle.c ${K}/handle.c ${K}/object.c ${K}/quota.c)
leat_unit_test(test_klog SOURCES unit/test_klog.c ${K}/log_ring.c ${K}/format.c)
leat_unit_test(test_boot_acpi SOURCES unit/test_boot_acpi.c ${CMAKE_SOURCE_DIR}/boot/acpi_parse.c)
leat_unit_test(test_share SOURCES unit/test_share.c ${K}/share.c)
