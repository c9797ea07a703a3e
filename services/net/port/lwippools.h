// SPDX-License-Identifier: BSD-2-Clause
/*
 * lwIP's heap as pools, so that an allocation takes the same few instructions on every day. The
 * largest holds one TCP segment of full size with its headers; they bound what may wait to be sent.
 */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(512, 256)
LWIP_MALLOC_MEMPOOL(64, 768)
LWIP_MALLOC_MEMPOOL(2048, 1664)
LWIP_MALLOC_MEMPOOL_END
