# SPDX-License-Identifier: BSD-2-Clause
# The local store: unit tests, and its simulator.
leat_unit_test(test_store_format SOURCES unit/test_store_format.c LIBS vdisk_store_host)
leat_unit_test(test_store SOURCES unit/test_store.c unit/store_fixture.c LIBS vdisk_store_host)
leat_unit_test(test_store_damage SOURCES unit/test_store_damage.c unit/store_fixture.c LIBS vdisk_store_host)
leat_unit_test(test_store_file SOURCES unit/test_store_file.c ${CMAKE_SOURCE_DIR}/vdisk/leat_nbd/store_file.c
  LIBS vdisk_store_host)
target_compile_definitions(test_store_file PRIVATE _GNU_SOURCE)

# The store's simulator, optimised: 10,000 histories; the same with sanitizers, fewer; and with broken stores.
set(store_sim sim/test_store_sim.c sim/store_clients.c sim/store_disk.c sim/store_world.c sim/sim_model.c)
leat_unit_test(test_store_sim SOURCES ${store_sim} LIBS vdisk_store_host)
set_tests_properties(unit.test_store_sim PROPERTIES LABELS sim TIMEOUT 900)
list(TRANSFORM VDISK_STORE_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/vdisk/ OUTPUT_VARIABLE store_sources)
add_executable(store_sim_fast ${store_sim} ${store_sources})
target_compile_options(store_sim_fast PRIVATE ${LEAT_WARNINGS} -O2 -g)
target_include_directories(store_sim_fast PRIVATE ${LEAT_INCLUDES})
add_test(NAME sim.store COMMAND store_sim_fast --from 1000000 --seeds 10000)
set_tests_properties(sim.store PROPERTIES LABELS sim TIMEOUT 1800)
add_test(NAME sim.store_mutations
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/store_mutations.py ${CMAKE_C_COMPILER} ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(sim.store_mutations PROPERTIES LABELS sim TIMEOUT 1800 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
