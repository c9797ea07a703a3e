# SPDX-License-Identifier: BSD-2-Clause
# The streaming engine: unit tests, the simulation, real servers, and the program that callgrind looks at.
leat_unit_test(test_cache SOURCES unit/test_cache.c LIBS vdisk_engine_host)
leat_unit_test(test_content SOURCES unit/test_content.c LIBS vdisk_engine_host)
leat_unit_test(test_difference SOURCES unit/test_difference.c unit/tiny_server.c unit/store_fixture.c
  LIBS vdisk_engine_host)
foreach(what handshake replies status)
  leat_unit_test(test_nbd_${what} SOURCES unit/test_nbd_${what}.c unit/nbd_script.c unit/nbd_peer.c
    LIBS vdisk_engine_host)
endforeach()
target_compile_definitions(test_nbd_status PRIVATE _GNU_SOURCE)
leat_unit_test(test_profile SOURCES unit/test_profile.c LIBS vdisk_engine_host)
leat_unit_test(test_stream SOURCES unit/test_stream.c unit/tiny_server.c LIBS vdisk_engine_host)
leat_unit_test(test_reads SOURCES unit/test_reads.c unit/tiny_server.c LIBS vdisk_engine_host)
leat_unit_test(test_limit SOURCES unit/test_limit.c unit/tiny_server.c LIBS vdisk_channels_host vdisk_engine_host leat_ring_host)
foreach(what cache notes)
  leat_unit_test(test_local_${what} SOURCES unit/test_local_${what}.c unit/local_fixture.c unit/tiny_server.c
    unit/store_fixture.c LIBS vdisk_engine_host)
endforeach()
foreach(what routing refusal)
  leat_unit_test(test_layers_${what} SOURCES unit/test_layers_${what}.c unit/layer_fixture.c unit/layer_server.c
    LIBS vdisk_engine_host)
endforeach()
leat_unit_test(test_link_share SOURCES unit/test_link_share.c unit/tiny_server.c LIBS vdisk_engine_host)
leat_unit_test(test_table SOURCES unit/test_table.c unit/tiny_server.c
  LIBS vdisk_channels_host vdisk_engine_host leat_ring_host console_text_host)
leat_unit_test(test_vdisk_channel SOURCES unit/test_vdisk_channel.c unit/tiny_server.c
  LIBS vdisk_channels_host leat_ring_host)
leat_unit_test(test_rounds SOURCES unit/test_rounds.c LIBS vdisk_channels_host leat_ring_host)
leat_unit_test(test_vdisk_net_conn SOURCES unit/test_vdisk_net_conn.c unit/net_channel.c
  LIBS vdisk_channels_host leat_ring_host)
leat_unit_test(test_vdisk_profiles SOURCES unit/test_vdisk_profiles.c unit/tiny_server.c
  LIBS vdisk_channels_host vdisk_engine_host leat_ring_host)
leat_unit_test(test_tls SOURCES unit/test_tls.c unit/net_channel.c unit/tls_server.c
  LIBS vdisk_secure_host vdisk_tls_host vdisk_channels_host leat_ring_host)

# The engine's simulator: with sanitizers; optimised, 10,000 histories in four parts; and with broken engines.
set(vdisk_sim sim/test_vdisk_sim.c sim/sim_guests.c sim/sim_store.c sim/sim_world.c sim/sim_server.c sim/sim_handshake.c
  sim/sim_client.c sim/sim_tree.c sim/sim_model.c sim/store_disk.c)
leat_unit_test(test_vdisk_sim SOURCES ${vdisk_sim} LIBS vdisk_engine_host)
set_tests_properties(unit.test_vdisk_sim PROPERTIES LABELS sim TIMEOUT 600)
set(engine_sources ${VDISK_ENGINE_SOURCES} ${VDISK_STORE_SOURCES})
list(TRANSFORM engine_sources PREPEND ${CMAKE_SOURCE_DIR}/vdisk/)
add_executable(vdisk_sim_fast ${vdisk_sim} ${engine_sources})
target_compile_options(vdisk_sim_fast PRIVATE ${LEAT_WARNINGS} -O2 -g)
target_include_directories(vdisk_sim_fast PRIVATE ${LEAT_INCLUDES})
foreach(part RANGE 1 4)
  add_test(NAME sim.vdisk.${part} COMMAND vdisk_sim_fast --from ${part}000000 --seeds 2500)
  set_tests_properties(sim.vdisk.${part} PROPERTIES LABELS sim TIMEOUT 900)
endforeach()
# Histories that have shown a fault which others seldom do.
foreach(seed 6000967 20002423)
  add_test(NAME sim.vdisk.seed_${seed} COMMAND vdisk_sim_fast --seed ${seed})
  set_tests_properties(sim.vdisk.seed_${seed} PROPERTIES LABELS sim TIMEOUT 300)
endforeach()
add_test(NAME sim.vdisk_mutations
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/vdisk_mutations.py ${CMAKE_C_COMPILER} ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(sim.vdisk_mutations PROPERTIES LABELS sim TIMEOUT 3000 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)

foreach(part vdisk_servers vdisk_links vdisk_tls vdisk_cache vdisk_local vdisk_verity vdisk_clients)
  add_test(NAME system.${part} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/test_${part}.py $<TARGET_FILE:leat-nbd>)
  set_tests_properties(system.${part} PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()

add_executable(bench_vdisk_hit bench/vdisk_hit.c unit/tiny_server.c)
target_compile_options(bench_vdisk_hit PRIVATE ${LEAT_WARNINGS} -O2 -g)
target_include_directories(bench_vdisk_hit PRIVATE ${LEAT_INCLUDES})
target_link_libraries(bench_vdisk_hit PRIVATE vdisk_bench)

add_executable(bench_tls_cost EXCLUDE_FROM_ALL bench/tls_cost.c unit/tls_server.c ${CMAKE_SOURCE_DIR}/vdisk/tls/keys.c
  ${CMAKE_SOURCE_DIR}/vdisk/tls/tls.c ${CMAKE_SOURCE_DIR}/vdisk/tls/random.c)
target_compile_options(bench_tls_cost PRIVATE ${LEAT_WARNINGS} -O2 -g)
target_compile_definitions(bench_tls_cost PRIVATE _GNU_SOURCE)
target_link_libraries(bench_tls_cost PRIVATE mbedtls_host)
