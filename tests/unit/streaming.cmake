# SPDX-License-Identifier: BSD-2-Clause
# Linux programs of the streaming benches: a link with delay and bandwidth, and a guest's boot played again.
foreach(program relay replay storm)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bench/${program}/*.c)
  add_executable(leat-${program} ${sources})
  target_include_directories(leat-${program} PRIVATE ${LEAT_INCLUDES})
  target_compile_options(leat-${program} PRIVATE ${LEAT_WARNINGS} -O2 -g)
  target_compile_definitions(leat-${program} PRIVATE _GNU_SOURCE)
endforeach()
target_link_libraries(leat-replay PRIVATE nbd)
target_link_libraries(leat-storm PRIVATE iscsi gnutls cjson pthread)

add_test(NAME system.relay
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/bench/relay/test_relay.py $<TARGET_FILE:leat-relay>)
set_tests_properties(system.relay PROPERTIES LABELS system TIMEOUT 120)

foreach(program bulk fair)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bench/${program}/*.c)
  add_executable(leat-${program} ${sources} ${CMAKE_SOURCE_DIR}/vdisk/leat_nbd/sockets.c
    ${CMAKE_SOURCE_DIR}/vdisk/tls/tls.c ${CMAKE_SOURCE_DIR}/vdisk/tls/sha256.c)
  target_compile_options(leat-${program} PRIVATE ${LEAT_WARNINGS} -O2 -g)
  target_compile_definitions(leat-${program} PRIVATE _GNU_SOURCE)
  target_include_directories(leat-${program} PRIVATE ${LEAT_INCLUDES})
  target_link_libraries(leat-${program} PRIVATE vdisk_bench mbedtls mbedx509 mbedcrypto pthread)
endforeach()

add_test(NAME unit.vdisk_hit COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_hit.py $<TARGET_FILE:bench_vdisk_hit>)
set_tests_properties(unit.vdisk_hit PROPERTIES LABELS unit TIMEOUT 300)

add_test(NAME system.vdisk_fair COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_vdisk_fair.py $<TARGET_FILE:leat-nbd>
  $<TARGET_FILE:leat-relay> $<TARGET_FILE:leat-fair>)
set_tests_properties(system.vdisk_fair PROPERTIES LABELS system TIMEOUT 600 RUN_SERIAL ON ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
