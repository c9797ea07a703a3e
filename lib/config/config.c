// SPDX-License-Identifier: BSD-2-Clause
#include "lib/config/config.h"

#include "lib/config/parser.h"
#include "lib/text.h"

#include <ini.h>
#include <string.h>

int config_fail(struct config_parser *parser, unsigned line, const char *section, const char *key,
                const char *value, const char *reason)
{
    if (parser->failed)
        return 0;
    parser->failed = true;
    parser->error->line = line;
    struct text text;
    text_begin(&text, parser->error->text, sizeof(parser->error->text));
    text_put(&text, parser->is_from_server ? "the configuration from the server" : "leat.conf");
    if (line != 0)
        text_put_number(text_put(&text, " line "), line);
    text_put(&text, key == NULL && section == NULL && line != 0 ? " " : ": ");
    if (section != NULL)
        text_put(text_put_some(text_put(&text, "["), section, 40), "] ");
    if (key != NULL)
        text_put_some(&text, key, 40);
    if (value != NULL)
        text_put_some(text_put(&text, " = "), value, 60);
    if (key != NULL)
        text_put(&text, ": ");
    text_put(&text, reason);
    return 0;
}

int leat_config_parse(const char *text, size_t size, struct leat_config *out,
                      struct leat_config_error *error)
{
    return leat_config_parse_joined(text, size, SIZE_MAX, out, error);
}

int leat_config_parse_joined(const char *text, size_t size, size_t server_from,
                             struct leat_config *out, struct leat_config_error *error)
{
    memset(out, 0, sizeof(*out));
    memset(error, 0, sizeof(*error));
    out->server_port = LEAT_CONFIG_NBD_PORT;
    out->cache_bytes = LEAT_CONFIG_CACHE_BYTES;
    strcpy(out->console_view, "leat");
    struct config_parser parser = {
        .text = text, .size = size, .server_from = server_from, .config = out, .error = error};
    if (size > LEAT_CONFIG_MAX_BYTES) {
        config_fail(&parser, 0, NULL, NULL, NULL, "larger than 256 KiB");
        return -1;
    }

    /* inih's run-time settings, of Debian's build: one line is one entry, on the stack. */
    ini_allow_multiline = false;
    ini_use_stack = true;
    ini_max_line = (int)CONFIG_LINE_BYTES;
    ini_stop_on_first_error = true;
    int status = ini_parse_stream(config_read_line, &parser, config_take_key, &parser);
    if (status != 0)
        config_fail(&parser, parser.line, NULL, NULL, NULL,
                    "is neither 'key = value' nor a [section]");
    if (!parser.failed)
        config_check(&parser);
    return parser.failed ? -1 : 0;
}

const struct leat_config_vm *leat_config_vm(const struct leat_config *config, const char *name)
{
    for (unsigned i = 0; i < config->vm_count; i++)
        if (strcmp(config->vms[i].name, name) == 0)
            return &config->vms[i];
    return NULL;
}

const struct leat_config_disk *leat_config_disk(const struct leat_config *config, const char *name)
{
    for (unsigned i = 0; i < config->disk_count; i++)
        if (strcmp(config->disks[i].name, name) == 0)
            return &config->disks[i];
    return NULL;
}

const struct leat_config_tenant *leat_config_tenant(const struct leat_config *config,
                                                    const char *name)
{
    for (unsigned i = 0; i < config->tenant_count; i++)
        if (strcmp(config->tenants[i].name, name) == 0)
            return &config->tenants[i];
    return NULL;
}

const char *leat_config_vm_mark(const char *text)
{
    static const char mark[] = LEAT_CONFIG_VM_MARK;
    for (text = strchr(text, mark[0]); text != NULL; text = strchr(text + 1, mark[0]))
        if (strlen(text) >= sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0)
            return text;
    return NULL;
}

static size_t put(char *name, size_t used, const char *text, size_t size)
{
    memcpy(name + used, text, size);
    name[used + size] = '\0';
    return used + size;
}

void leat_config_client_export(const struct leat_config_disk *disk, const char *vm,
                               char name[LEAT_CONFIG_EXPORT])
{
    const char *rest = disk->client_export, *mark = leat_config_vm_mark(rest);
    size_t used = 0;
    if (mark != NULL) { /* it fits: keys_disk.c has seen to that */
        used = put(name, put(name, 0, rest, (size_t)(mark - rest)), vm, strlen(vm));
        rest = mark + strlen(LEAT_CONFIG_VM_MARK);
    }
    put(name, used, rest, strlen(rest));
}
