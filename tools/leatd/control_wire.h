// SPDX-License-Identifier: BSD-2-Clause
/*
 * The control socket between the nbdkit plugin and leatd, as far as both need the same constants. The contract is
 * docs/server.md, "The control socket": newline-delimited JSON, an answer for each request, in order.
 */
#ifndef LEATD_CONTROL_WIRE_H
#define LEATD_CONTROL_WIRE_H

#define CONTROL_LINE_BYTES 4096u /* of one request or answer, with its line feed */
#define CONTROL_CONNECTIONS 32u  /* at once; one more is closed at accept */

/* Why a request is refused: the field "reason" beside "error". */
#define CONTROL_REASON_TOKEN "token"     /* open: no such export for this client */
#define CONTROL_REASON_PEER "peer"       /* open: the session's client has another address */
#define CONTROL_REASON_BUSY "busy"       /* open: another session writes it; "holder" names it */
#define CONTROL_REASON_GONE "gone"       /* renew, close: the lease has been taken away */
#define CONTROL_REASON_REQUEST "request" /* not a request as the contract has it */
#define CONTROL_REASON_LATER "later"     /* the database cannot be reached now */

/* What the plugin does past "expires" while leatd is away: the field "away". */
#define CONTROL_AWAY_HOLD "hold"   /* goes on */
#define CONTROL_AWAY_PAUSE "pause" /* requests wait until a renewal succeeds */

#endif
