# SPDX-License-Identifier: BSD-2-Clause
# The kinds of things that Leat is built from. Each function's comment is its contract.

set(LEAT_WARNINGS -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla)
set(LEAT_INCLUDES ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)

# Ring 3: one address space a process, static, no TLS, newlib's headers in place of the host's.
set(LEAT_RING3_FLAGS -O2 -g -fno-pic -fno-pie -mno-red-zone -fno-stack-protector -fcf-protection=none
    -mcmodel=small -ffunction-sections -fdata-sections -fno-strict-aliasing
    -nostdinc -isystem${NEWLIB_DIR}/include -isystem${GCC_INCLUDE})
set(LEAT_HOST_FLAGS -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined)

set_property(GLOBAL PROPERTY LEAT_BUNDLE_FILES "")

# leat_library(NAME sources...): a static library for ring-3 programs.
function(leat_library name)
  add_library(${name} STATIC ${ARGN})
  target_include_directories(${name} PUBLIC ${LEAT_INCLUDES})
  target_compile_options(${name} PRIVATE ${LEAT_WARNINGS} $<$<COMPILE_LANGUAGE:C>:${LEAT_RING3_FLAGS}>)
endfunction()

# leat_host_library(NAME sources...): a static library for unit tests and Linux tools, with sanitizers.
function(leat_host_library name)
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${ARGN})
  target_include_directories(${name} PUBLIC ${LEAT_INCLUDES})
  target_compile_options(${name} PRIVATE ${LEAT_WARNINGS} ${LEAT_HOST_FLAGS})
  target_link_options(${name} PUBLIC -fsanitize=address,undefined)
endfunction()

# leat_portable_library(NAME sources...): the same sources for both worlds, NAME and NAME_host.
function(leat_portable_library name)
  leat_library(${name} ${ARGN})
  leat_host_library(${name}_host ${ARGN})
endfunction()

# leat_program(NAME SOURCES ... LIBS ...): a ring-3 program, in the bundle under NAME.
function(leat_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name}.elf ${arg_SOURCES})
  target_include_directories(${name}.elf PRIVATE ${LEAT_INCLUDES})
  target_compile_options(${name}.elf PRIVATE ${LEAT_WARNINGS} $<$<COMPILE_LANGUAGE:C>:${LEAT_RING3_FLAGS}>)
  target_link_options(${name}.elf PRIVATE -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none
                      -Wl,-z,noexecstack -Wl,-z,separate-code -Wl,-z,max-page-size=4096
                      -Wl,-Ttext-segment=0x400000 -Wl,-e,_start -Wl,-u,_start)
  target_link_libraries(${name}.elf PRIVATE -Wl,--start-group ${arg_LIBS} leat ${NEWLIB_DIR}/lib/libc.a gcc
                        -Wl,--end-group)
  leat_bundle_file(${name} service $<TARGET_FILE:${name}.elf> ${name}.elf)
endfunction()

# leat_bundle_file(NAME KIND FILE DEPENDS): puts FILE into leat.efi; KIND as tools/mkbundle names it.
function(leat_bundle_file name kind file depends)
  set_property(GLOBAL APPEND PROPERTY LEAT_BUNDLE_FILES "${kind}:${name}=${file}")
  set_property(GLOBAL APPEND PROPERTY LEAT_BUNDLE_DEPENDS ${depends})
endfunction()

# leat_unit_test(NAME SOURCES ... LIBS ...): a cmocka program, run by ctest under the label unit.
function(leat_unit_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${LEAT_INCLUDES})
  target_compile_options(${name} PRIVATE ${LEAT_WARNINGS} ${LEAT_HOST_FLAGS})
  target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  target_link_libraries(${name} PRIVATE ${arg_LIBS} cmocka)
  add_test(NAME unit.${name} COMMAND ${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# leat_fuzzer(NAME sources...): a libFuzzer program by clang; ctest runs its corpus and LEAT_FUZZ_SECONDS more.
set(LEAT_FUZZ_SECONDS 10 CACHE STRING "Seconds that each fuzzer runs in tools/test")
find_program(LEAT_CLANG NAMES clang-14 clang)
function(leat_fuzzer name)
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set(sources "")
  foreach(source ${ARGN})
    get_filename_component(path ${source} ABSOLUTE)
    list(APPEND sources ${path})
  endforeach()
  if(NOT LEAT_CLANG)
    message(FATAL_ERROR "clang is missing: the fuzzers need it. tools/deps installs it.")
  endif()
  add_custom_command(OUTPUT ${name}
    COMMAND ${LEAT_CLANG} -std=gnu17 -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined
            -fno-sanitize-recover=undefined ${LEAT_FUZZER_FLAGS}
            -I${CMAKE_SOURCE_DIR} -I${CMAKE_SOURCE_DIR}/include -o ${name} ${sources}
    DEPENDS ${sources} VERBATIM)
  add_custom_target(${name}_program ALL DEPENDS ${name})
  add_test(NAME fuzz.${name}
    COMMAND ${CMAKE_SOURCE_DIR}/tests/fuzz/run-fuzzer ${CMAKE_CURRENT_BINARY_DIR}/${name} ${corpus} ${LEAT_FUZZ_SECONDS})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 900)
endfunction()

# leat_third_party_library(NAME sources...): somebody else's sources for ring 3, warnings off.
function(leat_third_party_library name)
  add_library(${name} STATIC ${ARGN})
  target_compile_options(${name} PRIVATE ${LEAT_RING3_FLAGS} -w)
endfunction()

# Zydis, the decoder only (vmm/cpu): no libc, no formatter, no encoder.
set(ZYDIS_SOURCES Decoder DecoderData Register MetaInfo Mnemonic SharedData String Utils Zydis Segment)
list(TRANSFORM ZYDIS_SOURCES PREPEND ${ZYDIS_DIR}/src/)
list(TRANSFORM ZYDIS_SOURCES APPEND .c)
set(ZYDIS_DEFINES ZYAN_NO_LIBC ZYDIS_STATIC_BUILD ZYCORE_STATIC_BUILD ZYDIS_DISABLE_FORMATTER ZYDIS_DISABLE_ENCODER)
set(ZYDIS_INCLUDES ${ZYDIS_DIR}/include ${ZYDIS_DIR}/src ${CMAKE_BINARY_DIR}/zycore)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/zycore)
file(CREATE_LINK /usr/include/Zycore ${CMAKE_BINARY_DIR}/zycore/Zycore SYMBOLIC)
leat_third_party_library(zydis ${ZYDIS_SOURCES})
target_include_directories(zydis PUBLIC ${ZYDIS_INCLUDES})
target_compile_definitions(zydis PUBLIC ${ZYDIS_DEFINES})
add_library(zydis_host STATIC EXCLUDE_FROM_ALL ${ZYDIS_SOURCES})
target_compile_options(zydis_host PRIVATE -O1 -g -w)
target_include_directories(zydis_host PUBLIC ${ZYDIS_INCLUDES})
target_compile_definitions(zydis_host PUBLIC ${ZYDIS_DEFINES})
