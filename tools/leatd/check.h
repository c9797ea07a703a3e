// SPDX-License-Identifier: BSD-2-Clause
/* What texts from outside may look like. */
#ifndef LEATD_CHECK_H
#define LEATD_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_BYTES 64u
#define UUID_BYTES 37u
#define MACS_BYTES 160u /* eight addresses, separated by blanks */

/* 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit. */
bool check_name(const char *text);

/* UTF-8 (RFC 3629), no control characters. */
bool check_text(const char *text, size_t size);

/* How many bytes of a text, at most so many, do not end inside of a character: for "%.*s". */
int check_cut(const char *text, int most);

/* 1 to 18 digits and nothing else: what strtoll has as a number. */
bool check_number(const char *text);

/* A UUID in any case, with its dashes; out gets it in small letters (UUID_BYTES). */
bool check_uuid(char *out, const char *text);

/* "52:54:00:12:34:56", or with dashes; out gets 18 bytes: small letters, colons. */
bool check_mac(char *out, const char *text);

/* A path without "..", without "/" at its start or end, of printable ASCII. */
bool check_relative_path(const char *text);

/*
 * nbd://, nbds://, nbd+unix://, nbds+unix://, http://, https://, s3://, rbd: and something of printable ASCII without blanks
 * behind it.
 */
bool check_uri(const char *text);

/* Whether a URI of a Unix socket has its absolute path as "socket=" in its query (nbd_connect_uri(3)); true for others. */
bool check_socket(const char *uri);

/* Whether a URI's authority is USER:PASSWORD@HOST (RFC 3986, 3.2.1). */
bool check_has_password(const char *uri);

#endif
