# SPDX-License-Identifier: BSD-2-Clause
set(fuzz_vmm_sources unit/vmm_fake.c ${CMAKE_SOURCE_DIR}/lib/tsc.c ${CMAKE_BINARY_DIR}/libzydis_host.a)
foreach(source bus memory timer vm cpu/access cpu/decode cpu/execute cpu/execute_string cpu/exit_io
        cpu/enter cpu/exit_mmio cpu/exit_msr cpu/kvmclock cpu/msr cpu/msr_mtrr cpu/page_walk cpu/report
        cpu/vcpu platform/acpi_pm
        platform/i8042 platform/ioapic platform/irq platform/lapic platform/lapic_regs
        platform/lapic_timer platform/lapic_virtual platform/pic platform/pit platform/platform platform/rtc
        platform/rtc_date platform/uart)
  list(PREPEND fuzz_vmm_sources ${CMAKE_SOURCE_DIR}/vmm/${source}.c)
endforeach()
list(TRANSFORM ZYDIS_INCLUDES PREPEND -I OUTPUT_VARIABLE LEAT_FUZZER_FLAGS)
list(TRANSFORM ZYDIS_DEFINES PREPEND -D OUTPUT_VARIABLE fuzz_vmm_defines)
list(APPEND LEAT_FUZZER_FLAGS ${fuzz_vmm_defines})
leat_fuzzer(fuzz_vcpu fuzz/fuzz_vcpu.c ${fuzz_vmm_sources})
leat_fuzzer(fuzz_linux_loader fuzz/fuzz_linux_loader.c ${CMAKE_SOURCE_DIR}/vmm/memory.c
  ${CMAKE_SOURCE_DIR}/vmm/load/linux.c ${CMAKE_SOURCE_DIR}/vmm/load/long_mode.c ${CMAKE_SOURCE_DIR}/vmm/load/ram_map.c)
leat_fuzzer(fuzz_multiboot_loader fuzz/fuzz_multiboot_loader.c ${CMAKE_SOURCE_DIR}/vmm/memory.c
  ${CMAKE_SOURCE_DIR}/vmm/load/multiboot.c ${CMAKE_SOURCE_DIR}/vmm/load/multiboot_image.c
  ${CMAKE_SOURCE_DIR}/vmm/load/long_mode.c ${CMAKE_SOURCE_DIR}/vmm/load/ram_map.c)
unset(LEAT_FUZZER_FLAGS)
