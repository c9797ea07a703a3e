// SPDX-License-Identifier: BSD-2-Clause
#include <libnbd.h>
#include <signal.h>
#include <stdio.h>

#include "tools/nbdkit-leat/image_server.h"

/* A child that only reads loses nothing by being killed; libnbd waits for its end. */
void image_server_hang_up(struct nbd_handle *h)
{
    if (!h)
        return;
    nbd_kill_subprocess(h, SIGKILL); /* an error where there is none */
    nbd_close(h);
}

struct nbd_handle *image_server_connect(const struct image_server *server, char error[IMAGE_ERROR])
{
    struct nbd_handle *h = nbd_create();
    bool connected = h && !nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) &&
                     !nbd_set_handshake_flags(h, LIBNBD_HANDSHAKE_FLAG_MASK);
    if (connected && server->kind == IMAGE_SERVER_SOCKET)
        connected = !nbd_connect_systemd_socket_activation(h, (char **)server->argv);
    else if (connected && server->kind == IMAGE_SERVER_STDIO)
        connected = !nbd_connect_command(h, (char **)server->argv);
    else if (connected)
        connected = !nbd_connect_uri(h, server->uri);
    if (connected)
        return h;
    snprintf(error, IMAGE_ERROR, "the image cannot be reached: %.200s", nbd_get_error());
    image_server_hang_up(h);
    return NULL;
}
