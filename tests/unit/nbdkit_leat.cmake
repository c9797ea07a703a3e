# SPDX-License-Identifier: BSD-2-Clause
# tools/nbdkit-leat without nbdkit: differences.
leat_unit_test(test_nbdkit_difference SOURCES unit/test_nbdkit_difference.c unit/diff_model.c LIBS nbdkit_leat_host)
add_test(NAME sim.difference_mutations
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/difference_mutations.py ${CMAKE_C_COMPILER} ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(sim.difference_mutations PROPERTIES LABELS sim TIMEOUT 600 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
add_test(NAME system.nbdkit_leat
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_nbdkit_leat.py $<TARGET_FILE:nbdkit-leat-plugin> $<TARGET_FILE:leat-difference>)
set_tests_properties(system.nbdkit_leat PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
add_test(NAME system.nbdkit_pause COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_nbdkit_pause.py
  $<TARGET_FILE:nbdkit-leat-plugin> $<TARGET_FILE:leat-difference>)
add_test(NAME system.nbdkit_images COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_nbdkit_images.py
  $<TARGET_FILE:nbdkit-leat-plugin>)
add_test(NAME system.nbdkit_silent COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_nbdkit_silent.py
  $<TARGET_FILE:nbdkit-leat-plugin> $<TARGET_FILE:leat-difference>)
set_tests_properties(system.nbdkit_pause system.nbdkit_images system.nbdkit_silent PROPERTIES LABELS system TIMEOUT 900
  ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
# What the unit lets nbdkit do, as systemd counts it: at most 2.0 of 10.
find_program(SYSTEMD_ANALYZE systemd-analyze REQUIRED)
add_test(NAME lint.nbdkit_unit COMMAND ${SYSTEMD_ANALYZE} security --offline=true --threshold=20 --no-pager
  ${CMAKE_SOURCE_DIR}/tools/nbdkit-leat/leat-nbdkit.service)
set_tests_properties(lint.nbdkit_unit PROPERTIES LABELS lint)
leat_unit_test(test_nbdkit_grant SOURCES unit/test_nbdkit_grant.c LIBS nbdkit_leat_host)
leat_unit_test(test_nbdkit_diff_file SOURCES unit/test_nbdkit_diff_file.c LIBS nbdkit_leat_host)
leat_unit_test(test_nbdkit_peers SOURCES unit/test_nbdkit_peers.c LIBS nbdkit_leat_host)
leat_unit_test(test_nbdkit_control SOURCES unit/test_nbdkit_control.c LIBS nbdkit_leat_host)
leat_unit_test(test_nbdkit_image SOURCES unit/test_nbdkit_image.c LIBS nbdkit_leat_host)
leat_unit_test(test_nbdkit_wait SOURCES unit/test_nbdkit_wait.c LIBS nbdkit_leat_host)
target_compile_definitions(test_nbdkit_wait PRIVATE _GNU_SOURCE)
leat_unit_test(test_nbdkit_again SOURCES unit/test_nbdkit_again.c LIBS nbdkit_leat_host)
target_compile_definitions(test_nbdkit_again PRIVATE _GNU_SOURCE)
set(leases lease lease_table lease_ask lease_disk lease_pause lease_renew)
list(TRANSFORM leases REPLACE ".+" "${CMAKE_SOURCE_DIR}/tools/nbdkit-leat/\\0.c")
leat_unit_test(test_nbdkit_leases SOURCES unit/test_nbdkit_leases.c ${leases} LIBS nbdkit_leat_host)
target_compile_definitions(test_nbdkit_leases PRIVATE _GNU_SOURCE)
