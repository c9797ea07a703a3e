// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kinds of value that leat.conf knows. Each function returns NULL and sets *out when the text
 * is such a value; otherwise it returns the reason, a phrase for people, and leaves *out alone.
 */
#ifndef LIB_CONFIG_VALUE_H
#define LIB_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes: decimal digits and nothing, K, M or G. */
const char *value_size(const char *text, uint64_t *out);

/* A decimal number from least to most. */
const char *value_number(const char *text, uint64_t least, uint64_t most, uint64_t *out);

const char *value_port(const char *text, uint16_t *out);      /* 1 to 65535 */
const char *value_iops(const char *text, uint64_t *out);      /* 1 to 100,000,000 a second */
const char *value_bandwidth(const char *text, uint64_t *out); /* a second: 4K to 1024G */

/* A whole percentage, "25%", from 1% to `most`. */
const char *value_percent(const char *text, unsigned most, unsigned *out);

/* A set of host CPUs, "0, 2-3": *out has bit n for CPU n; never empty. */
const char *value_cpus(const char *text, uint64_t *out);

const char *value_flag(const char *text, bool *out); /* yes or no */

/* Dotted IPv4; *out in network byte order. */
const char *value_ipv4(const char *text, uint32_t *out);
const char *value_netmask(const char *text, uint32_t *out);

/* A GUID, "9357074e-1924-48a3-a9b4-982f9bda4031", copied in small letters with its NUL: 37 bytes. */
const char *value_guid(const char *text, char *out);

/* Copies: any text / a host name or IPv4 address / a VM's or disk's name / a relative file name. */
const char *value_string(const char *text, char *out, size_t size);
/* A content id: vdisk/content.h has the same rule. */
const char *value_content(const char *text);
/* A root hash: vdisk/verity/verity.h has the same rule. */
const char *value_root_hash(const char *text);
const char *value_host(const char *text, char *out, size_t size);
const char *value_name(const char *text, char *out, size_t size);
const char *value_file(const char *text, char *out, size_t size);

/* The length of the valid UTF-8 sequence at `bytes` (1 to 4); 0: not valid. */
size_t utf8_length(const char *bytes, size_t available);

#endif
