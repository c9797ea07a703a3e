// SPDX-License-Identifier: BSD-2-Clause
/* Lines as leatd's answers, and names as clients send them: what is taken is bounded, whole and printable. */
#include <stdlib.h>
#include <string.h>

#include "tools/nbdkit-leat/grant.h"
#include "tools/nbdkit-leat/qcow2.h"

static void check_text(const char *text, size_t room)
{
    size_t length = strnlen(text, room);
    if (length == room)
        abort();
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[GRANT_LINE + 1], line[GRANT_LINE];
    struct grant grant;
    struct grant_refusal refusal;
    bool pauses = false;
    int64_t expires = 0;
    if (size > GRANT_LINE)
        size = GRANT_LINE;
    memcpy(text, data, size);
    text[size] = 0;
    if (grant_read(text, &grant, &refusal) == GRANT_GIVEN) {
        check_text(grant.lease, sizeof grant.lease);
        check_text(grant.client, sizeof grant.client);
        check_text(grant.image, sizeof grant.image);
        check_text(grant.difference, sizeof grant.difference);
        if (!grant.size || grant.size % 512 || (!grant.read_only && !grant.difference[0]))
            abort();
        if (!grant_ask_renew(line, grant.lease, UINT64_MAX, UINT64_MAX, true))
            abort();
    }
    grant_read_renewed(text, &expires, &pauses, &refusal);
    check_text(refusal.sentence, sizeof refusal.sentence);
    size_t length = grant_ask_open(line, text, "", false);
    if (length && (strlen(line) != length || memchr(line, '\n', length) != line + length - 1))
        abort();
    qcow2_trouble(data, size);
    return 0;
}
