# SPDX-License-Identifier: BSD-2-Clause
# Third-party parts as targets: newlib_headers, newlib (libc.a), inih, zydis; LWIP_DIR for services/net,
# MBEDTLS_DIR for vdisk/tls, CJSON_DIR for client.
# LEAT_CACHE keeps what was built between build trees.
set(LEAT_CACHE "$ENV{HOME}/.cache/leat" CACHE PATH "Where third-party builds are kept between build trees")
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/third-party/build.sh ${LEAT_CACHE}/third-party
                RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "A third-party part is missing (see the line above). tools/deps installs what is needed.")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/third-party/pins.sh)
file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/third-party/pins.sh pins REGEX "_version=")
foreach(pin ${pins})
  string(REGEX MATCH "^([a-z_]+)_version=(.*)$" matched ${pin})
  set(${CMAKE_MATCH_1}_version ${CMAKE_MATCH_2})
endforeach()

set(NEWLIB_DIR ${LEAT_CACHE}/third-party/newlib-${newlib_version})
set(LWIP_DIR ${LEAT_CACHE}/third-party/lwip-${lwip_version})
set(MBEDTLS_DIR ${LEAT_CACHE}/third-party/mbedtls-${mbedtls_version})
set(CJSON_DIR ${LEAT_CACHE}/third-party/cjson-${cjson_version})
set(ZYDIS_DIR ${LEAT_CACHE}/third-party/zydis-${zydis_version})
set(INIH_LIBRARY /usr/lib/x86_64-linux-gnu/libinih.a)
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
                OUTPUT_VARIABLE GCC_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE)
