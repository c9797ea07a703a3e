// SPDX-License-Identifier: BSD-2-Clause
/* TLS with a machine's own key, with leatd and with its disk, as vdisk/tls offers it. */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/storm/storm.h"

/* What vdisk/tls/keys.c offers, in its order. */
#define PRIORITIES                                                                                 \
    "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:"  \
    "-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM"

struct storm_tls {
    gnutls_session_t session;
    gnutls_psk_client_credentials_t credentials;
};

struct storm_tls *storm_tls_open(const struct storm_client *client, int fd)
{
    gnutls_datum_t key = {(unsigned char *)client->key, (unsigned)strlen(client->key)};
    struct storm_tls *tls = malloc(sizeof *tls);
    int error;
    if (!tls)
        storm_die(client, "TLS", "no memory");
    gnutls_psk_allocate_client_credentials(&tls->credentials);
    gnutls_psk_set_client_credentials(tls->credentials, client->uuid, &key, GNUTLS_PSK_KEY_HEX);
    gnutls_init(&tls->session, GNUTLS_CLIENT);
    gnutls_priority_set_direct(tls->session, PRIORITIES, NULL);
    gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK, tls->credentials);
    gnutls_transport_set_int(tls->session, fd);
    while ((error = gnutls_handshake(tls->session)) < 0)
        if (gnutls_error_is_fatal(error))
            storm_die(client, "TLS", gnutls_strerror(error));
    return tls;
}

ssize_t storm_tls_send(struct storm_tls *tls, const void *data, size_t size)
{
    return gnutls_record_send(tls->session, data, size);
}

ssize_t storm_tls_receive(struct storm_tls *tls, void *data, size_t size)
{
    return gnutls_record_recv(tls->session, data, size);
}

void storm_tls_close(struct storm_tls *tls)
{
    if (!tls)
        return;
    gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    gnutls_deinit(tls->session);
    gnutls_psk_free_client_credentials(tls->credentials);
    free(tls);
}
