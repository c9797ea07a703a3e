# SPDX-License-Identifier: BSD-2-Clause
set(net_sources address checksum client config nic slot stack)
list(TRANSFORM net_sources PREPEND ${CMAKE_SOURCE_DIR}/services/net/)
list(TRANSFORM net_sources APPEND .c)
set(LEAT_FUZZER_FLAGS -w -I${CMAKE_SOURCE_DIR}/services/net/port -I${LWIP_DIR}/src/include)
leat_fuzzer(fuzz_net fuzz/fuzz_net.c unit/e1000_model.c ${net_sources}
            ${CMAKE_SOURCE_DIR}/drivers/net/e1000.c ${CMAKE_SOURCE_DIR}/drivers/net/e1000_rings.c
            ${CMAKE_SOURCE_DIR}/lib/ring.c ${LEAT_LWIP_SOURCES})
unset(LEAT_FUZZER_FLAGS)
