# SPDX-License-Identifier: BSD-2-Clause
# lwIP for the host, with two stations in one stack.
add_library(lwip_world STATIC EXCLUDE_FROM_ALL ${LEAT_LWIP_SOURCES})
target_include_directories(lwip_world SYSTEM PUBLIC ${CMAKE_CURRENT_LIST_DIR}/net_port
                           ${CMAKE_SOURCE_DIR}/services/net/port ${LWIP_DIR}/src/include)
target_include_directories(lwip_world PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_options(lwip_world PRIVATE ${LEAT_HOST_FLAGS} -w)
target_link_libraries(lwip_world PUBLIC net_stack_host) # lwIP calls its hooks there

foreach(test test_net_stack test_net_flow test_net_hostile test_net_clients)
  leat_unit_test(${test} SOURCES unit/${test}.c unit/net_pair.c unit/net_world.c unit/net_servers.c
                 LIBS net_stack_host lwip_world e1000_host leat_ring_host)
endforeach()
leat_unit_test(test_e1000 SOURCES unit/test_e1000.c unit/e1000_model.c LIBS e1000_host)
leat_unit_test(test_net_parts SOURCES unit/test_net_parts.c unit/net_world.c
               LIBS net_stack_host lwip_world e1000_host leat_ring_host)
leat_unit_test(test_splitmix SOURCES unit/test_splitmix.c)
