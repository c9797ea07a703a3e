# SPDX-License-Identifier: BSD-2-Clause
set(nbd_sources stream handshake command reply session)
list(TRANSFORM nbd_sources PREPEND ${CMAKE_SOURCE_DIR}/vdisk/nbd/)
list(TRANSFORM nbd_sources APPEND .c)
leat_fuzzer(fuzz_nbd_reply fuzz/fuzz_nbd_reply.c unit/nbd_peer.c ${nbd_sources})
