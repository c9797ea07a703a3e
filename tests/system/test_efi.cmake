# SPDX-License-Identifier: BSD-2-Clause

# leat_test_program(NAME ...): leat_program, but no part of leat.efi.
function(leat_test_program name)
  get_property(product_files GLOBAL PROPERTY LEAT_BUNDLE_FILES)
  get_property(product_depends GLOBAL PROPERTY LEAT_BUNDLE_DEPENDS)
  leat_program(${name} ${ARGN})
  set_property(GLOBAL PROPERTY LEAT_BUNDLE_FILES ${product_files})
  set_property(GLOBAL PROPERTY LEAT_BUNDLE_DEPENDS ${product_depends})
endfunction()

# leat_bundle_efi(NAME KIND:NAME=FILE...): NAME.efi in the current binary directory: boot as in leat.efi, with these files.
function(leat_bundle_efi name)
  get_property(product_depends GLOBAL PROPERTY LEAT_BUNDLE_DEPENDS)
  set(bundle ${CMAKE_CURRENT_BINARY_DIR}/${name}.bundle)
  set(efi ${CMAKE_CURRENT_BINARY_DIR}/${name}.efi)
  add_custom_command(OUTPUT ${bundle}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/mkbundle --output ${bundle} ${ARGN}
    DEPENDS ${CMAKE_SOURCE_DIR}/tools/mkbundle ${product_depends} ${name}.elf VERBATIM)
  add_library(${name}_bundle OBJECT ${CMAKE_SOURCE_DIR}/boot/bundle.S)
  target_compile_definitions(${name}_bundle PRIVATE LEAT_BUNDLE_PATH="${bundle}")
  set_source_files_properties(${CMAKE_SOURCE_DIR}/boot/bundle.S PROPERTIES OBJECT_DEPENDS ${bundle})
  add_custom_command(OUTPUT ${efi}
    COMMAND ld -nostdlib -znocombreloc -shared -Bsymbolic -z muldefs -z noexecstack --no-warn-rwx-segments
            -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o
            "$<FILTER:$<TARGET_OBJECTS:boot_code>,EXCLUDE,bundle\\.S>" $<TARGET_OBJECTS:${name}_bundle>
            ${INIH_LIBRARY} -L/usr/lib -lefi -lgnuefi -o ${name}.so
    COMMAND objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j ".rel.*" -j ".rela.*"
            -j .reloc --target=efi-app-x86_64 ${name}.so ${efi}
    DEPENDS boot_code $<TARGET_OBJECTS:boot_code> $<TARGET_OBJECTS:${name}_bundle> ${INIH_LIBRARY}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking ${name}.efi")
  add_custom_target(${name}_efi ALL DEPENDS ${efi})
endfunction()

# leat_test_efi(NAME sources...): NAME.efi in the current binary directory: boot and kernel as in leat.efi, with the
# program of those sources in the supervisor's place and no other service.
function(leat_test_efi name)
  leat_test_program(${name} SOURCES ${ARGN} LIBS leat)
  leat_bundle_efi(${name} kernel:kernel=$<TARGET_FILE:kernel.elf> service:supervisor=$<TARGET_FILE:${name}.elf>)
endfunction()
