# SPDX-License-Identifier: BSD-2-Clause
leat_host_library(vmm_fake unit/vmm_fake.c unit/irq_senders.c)
foreach(test test_bus test_guest_memory test_lapic test_lapic_virtual test_ioapic test_pic test_pit test_rtc test_uart
        test_page_walk test_emulate test_vcpu test_enter test_kvmclock test_cpuid test_linux_loader
        test_multiboot_loader test_acpi_tables)
  leat_unit_test(${test} SOURCES unit/${test}.c LIBS vmm_fake vmm_core_host)
  target_link_libraries(${test} PRIVATE vmm_fake vmm_core_host) # each calls the other
endforeach()
target_compile_definitions(test_cpuid PRIVATE CPUID_DOC="${CMAKE_SOURCE_DIR}/docs/cpuid.md")
