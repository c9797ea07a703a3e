# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_nested SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_nested.c
               ${CMAKE_SOURCE_DIR}/arch/x86_64/nested.c)
leat_unit_test(test_guest_tables SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_guest_tables.c
               ${CMAKE_SOURCE_DIR}/kernel/doorbell.c ${CMAKE_SOURCE_DIR}/kernel/guest_cpuid.c)
leat_unit_test(test_svm_insn SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_svm_insn.c
               ${CMAKE_SOURCE_DIR}/arch/x86_64/svm/insn.c)
