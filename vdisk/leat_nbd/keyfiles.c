// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/keyfiles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "vdisk/leat_nbd/sockets.h"

#define FILE_BYTES (256u << 10)

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, FILE_BYTES);
    free(text);
}

static _Noreturn void refuse(const char *path, const char *why)
{
    fprintf(stderr, "leat-nbd: %s: %s\n", path, why);
    exit(1);
}

/* The file's text; NULL: no file was named. */
static char *load(const char *path)
{
    FILE *f = path ? fopen(path, "r") : NULL;
    if (!path)
        return NULL;
    if (!f)
        refuse(path, strerror(errno));
    setbuf(f, NULL); /* no copy of a key that nobody wipes */
    char *text = calloc(1, FILE_BYTES);
    size_t size = text ? fread(text, 1, FILE_BYTES - 1, f) : 0;
    bool is_whole = size && feof(f);
    fclose(f);
    if (is_whole)
        return text;
    wipe(text);
    refuse(path, "empty, or too large for a key");
}

static int random_bytes(void *ctx, unsigned char *to, size_t size)
{
    (void)ctx;
    while (size) {
        ssize_t n = getrandom(to, size, 0);
        if (n <= 0)
            return -1;
        to += n;
        size -= (size_t)n;
    }
    return 0;
}

void keyfiles_load(struct options *o)
{
    static struct sockets_tls tls = {.base = {sockets_tls_start}};
    if (!o->psk && !o->ca && !o->certificate && !o->key && !o->tls_name)
        return;
    char *psk = load(o->psk), *ca = load(o->ca), *certificate = load(o->certificate);
    char *key = load(o->key);
    const char *why;
    tls.keys = tls_keys_make(&(struct tls_keys_text){psk, ca, certificate, key, o->tls_name},
                             random_bytes, NULL, &why);
    wipe(psk);
    wipe(ca);
    wipe(certificate);
    wipe(key);
    if (!tls.keys) {
        fprintf(stderr, "leat-nbd: TLS: %s\n", why);
        exit(1);
    }
    o->config.tls = &tls.base;
}
