// SPDX-License-Identifier: BSD-2-Clause
/* What may stand in a value that leatd gives, each by the strictest rule that its use allows. All of it is hostile. */
#ifndef CLIENT_VALUE_H
#define CLIENT_VALUE_H

#include "client/exchange.h"

/* A name as in leat.conf: 1 to 31 of A-Z a-z 0-9 - . _ */
bool value_is_name(const char *text);
/* 1 to size - 1 of the same characters: tokens, words. */
bool value_is_word(const char *text, size_t size);
/* A path on the server under /client/v1/, shorter than size, without "..". */
bool value_is_path(const char *text, size_t size);
/* Anything that leat.conf takes as a value behind "KEY = ": UTF-8 without control characters, without ';' which begins a
   comment there, shorter than size. */
bool value_is_text(const char *text, size_t size);
/* A content id, by the rule of leat.conf. */
bool value_is_content(const char *text);
/* 64 hexadecimal digits. */
bool value_is_sha256(const char *text);
/* The 32 bytes that they are. */
bool value_take_sha256(const char *text, uint8_t out[32]);
/* "HOST" or "HOST:PORT", of size bytes: a host name or an IPv4 address. */
bool value_take_server(const char *text, size_t size, uint16_t port, struct client_server *out);
/* For people: what is no UTF-8 or a control character becomes '?'; cut where a character ends. */
void value_show(char *to, size_t size, const char *text);

#endif
