// SPDX-License-Identifier: BSD-2-Clause
#include "client/answer.h"

#include <cJSON.h>
#include <string.h>

#include "client/value.h"

#define DEFAULT_MEMORY_MIB 512u
#define MIN_MEMORY_MIB 16u /* of a VM; the rest of these are leat.conf's limits too */
#define MAX_MEMORY_MIB (1u << 20)
#define MAX_CPUS 16u
#define MAX_IOPS 100000000u
#define MIN_BANDWIDTH 4096u
#define MAX_BANDWIDTH (1ull << 40)
#define MAX_SECONDS 3600u
#define NBD_PORT 10809u
#define TREE_BLOCK 4096u         /* vdisk/verity/verity.h */
#define EXACT 9007199254740991.0 /* 2^53 - 1: RFC 8259, section 6 */

static const cJSON *field(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* "" for what is no string. */
static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(field(object, name));
    return text ? text : "";
}

/* Within least and most, whatever it was; 0 for what is no number above 0. */
static uint64_t number_of(const cJSON *object, const char *name, uint64_t least, uint64_t most)
{
    const cJSON *item = field(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1))
        return 0;
    uint64_t value = item->valuedouble > EXACT ? (uint64_t)EXACT : (uint64_t)item->valuedouble;
    return value < least ? least : value > most ? most : value;
}

/* A file that a VM cannot be without is not left out silently: only null says that there is none. */
static bool take_file(const cJSON *disk, const char *name, uint64_t most, struct client_file *file)
{
    const cJSON *item = field(disk, name);
    memset(file, 0, sizeof *file);
    if (!item || cJSON_IsNull(item))
        return true;
    const cJSON *size = field(item, "size");
    if (!cJSON_IsNumber(size) || !(size->valuedouble >= 1) || size->valuedouble > (double)most ||
        !value_is_path(text_of(item, "path"), sizeof file->path) ||
        !value_take_sha256(text_of(item, "sha256"), file->sha256))
        return false;
    strcpy(file->path, text_of(item, "path"));
    file->size = (uint64_t)size->valuedouble;
    return true;
}

static const char *take_mode(const cJSON *item, struct client_disk *disk)
{
    static const char *const words[] = {
        [CLIENT_READ_ONLY] = "read-only", [CLIENT_RAM] = "ram",      [CLIENT_LOCAL] = "local",
        [CLIENT_PRIVATE] = "private",     [CLIENT_LAYER] = "server",
    };
    const char *word = text_of(item, "mode"), *name = text_of(item, "export");
    const char *base = text_of(item, "base");
    unsigned mode = 0;
    while (mode < sizeof words / sizeof words[0] && strcmp(word, words[mode]) != 0)
        mode++;
    if (mode == sizeof words / sizeof words[0])
        return "its write mode is not known here: is this Leat older than the server?";
    if (!value_is_word(name, sizeof disk->export_name))
        return "its export has no usable name";
    disk->mode = mode;
    strcpy(disk->export_name, name);
    if (mode != CLIENT_LAYER)
        return NULL;
    if (!value_is_word(base, sizeof disk->base) || !strcmp(base, name))
        return "its image's export has no usable name";
    strcpy(disk->base, base);
    return NULL;
}

/* 0 for what is no whole number from 1 to what a double has exactly. */
static uint64_t whole_of(const cJSON *object, const char *name)
{
    const cJSON *item = field(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1) || item->valuedouble > EXACT)
        return 0;
    uint64_t value = (uint64_t)item->valuedouble;
    return (double)value == item->valuedouble ? value : 0;
}

/* A tree that cannot be used is no reason to go on without one. */
static const char *take_tree(const cJSON *item, struct client_disk *disk)
{
    const cJSON *tree = field(item, "tree");
    const char *name = text_of(item, "tree"), *root = text_of(item, "root_hash");
    uint64_t size = whole_of(item, "size");
    if (!tree || cJSON_IsNull(tree))
        return NULL;
    if (disk->mode == CLIENT_PRIVATE)
        return "it has a hash tree, and is written: its blocks could not be verified";
    if (!value_is_word(name, sizeof disk->tree) || !strcmp(name, disk->export_name) ||
        !strcmp(name, disk->base))
        return "its hash tree's export has no usable name";
    if (!value_is_sha256(root))
        return "its root hash is no SHA-256 in 64 hexadecimal digits";
    disk->root_blocks = whole_of(item, "root_blocks");
    disk->blocks = size / TREE_BLOCK;
    if (!disk->root_blocks || size % TREE_BLOCK || disk->blocks < disk->root_blocks)
        return "its size and the blocks of its hash tree do not fit each other";
    strcpy(disk->tree, name);
    strcpy(disk->root_hash, root);
    return NULL;
}

static const char *take_vm(const cJSON *item, struct client_disk *disk)
{
    const char *cmdline = text_of(item, "cmdline");
    uint64_t memory = number_of(item, "memory", MIN_MEMORY_MIB, MAX_MEMORY_MIB);
    if (!take_file(item, "kernel", LEAT_CLIENT_FILE_BYTES, &disk->kernel) ||
        !take_file(item, "initrd", LEAT_CLIENT_FILE_BYTES, &disk->initrd))
        return "its kernel's or initrd's size, path or SHA-256 makes no sense";
    if (!disk->kernel.size)
        return "its image has no kernel to start";
    if (!value_is_text(cmdline, sizeof disk->cmdline))
        return "its command line is too long, or has a ';' or what is no text";
    strcpy(disk->cmdline, cmdline);
    disk->memory_mib = memory ? (unsigned)(memory + memory % 2) : DEFAULT_MEMORY_MIB;
    disk->cpus = (unsigned)number_of(item, "cpus", 1, MAX_CPUS);
    disk->cpus += !disk->cpus;
    return NULL;
}

/* What can be done without is left out where it makes no sense. */
static void take_rest(const cJSON *item, struct client_disk *disk)
{
    const char *content = text_of(item, "content"), *label = text_of(item, "label");
    value_show(disk->label, sizeof disk->label, *label ? label : disk->name);
    if (value_is_content(content))
        strcpy(disk->content, content);
    if (!take_file(item, "profile", LEAT_CLIENT_PROFILE_BYTES, &disk->profile))
        memset(&disk->profile, 0, sizeof disk->profile);
    disk->iops = number_of(item, "iops", 1, MAX_IOPS);
    disk->bandwidth = number_of(item, "bandwidth", MIN_BANDWIDTH, MAX_BANDWIDTH);
    disk->is_default = cJSON_IsTrue(field(item, "default"));
    disk->always = !strcmp(text_of(item, "start"), "always");
}

static bool has_disk(const struct client_hello *hello, const char *name)
{
    for (unsigned i = 0; i < hello->disk_count; i++)
        if (!strcmp(hello->disks[i].name, name))
            return true;
    return false;
}

/* NULL: *disk is filled. */
static const char *take_disk(const cJSON *item, const struct client_hello *hello,
                             struct client_disk *disk)
{
    const char *name = text_of(item, "name");
    memset(disk, 0, sizeof *disk);
    if (!value_is_name(name))
        return "its name has more than 31 characters, or others than a-z 0-9 . _ -";
    if (!strcmp(name, "leat") || !strcmp(name, "all") || !strcmp(name, "disks"))
        return "the console uses its name itself: give the disk another one";
    if (has_disk(hello, name))
        return "another one has its name";
    strcpy(disk->name, name);
    const char *why = take_mode(item, disk);
    if (!why)
        why = take_tree(item, disk);
    if (!why)
        why = take_vm(item, disk);
    if (!why)
        take_rest(item, disk);
    return why;
}

static void take_disks(const cJSON *list, struct client_hello *hello, answer_note *note, void *ctx)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        const char *why = "this machine can have no more than 64";
        if (hello->disk_count < LEAT_CLIENT_ENTRIES)
            why = take_disk(item, hello, &hello->disks[hello->disk_count]);
        if (!why) {
            hello->disk_count++;
            continue;
        }
        char name[64];
        value_show(name, sizeof name, text_of(item, "name"));
        note(ctx, name, why);
    }
}

static void take_servers(const cJSON *list, struct client_hello *hello)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        const char *text = cJSON_GetStringValue(item);
        if (hello->server_count < CLIENT_SERVERS && text &&
            value_take_server(text, strlen(text), NBD_PORT, &hello->servers[hello->server_count]))
            hello->server_count++;
    }
}

static void take_menu(const cJSON *menu, struct client_hello *hello)
{
    const char *name = text_of(menu, "default");
    hello->menu_s = number_of(menu, "timeout", 1, MAX_SECONDS);
    for (unsigned i = hello->disk_count; i-- > 0;)
        if (hello->disks[i].is_default)
            hello->first = i;
    for (unsigned i = 0; i < hello->disk_count; i++)
        if (!strcmp(hello->disks[i].name, name))
            hello->first = i;
}

static const char *take_hello(const cJSON *object, struct client_hello *out, answer_note *note,
                              void *ctx)
{
    const char *session = text_of(object, "session");
    if (strcmp(text_of(object, "state"), "ok") != 0)
        return "its answer has no state that fits";
    if (!value_is_word(session, sizeof out->session))
        return "its answer has no session";
    strcpy(out->session, session);
    out->renew_s = number_of(object, "renew", 1, MAX_SECONDS);
    if (!out->renew_s)
        return "its answer does not say when to renew the session";
    take_servers(field(object, "servers"), out);
    if (!out->server_count)
        return "its answer names no NBD server: set [export] servers in leatd.conf";
    take_disks(field(object, "disks"), out, note, ctx);
    take_menu(field(object, "menu"), out);
    return out->disk_count ? NULL
                           : "none of the disks that are assigned to this machine can be started";
}

/* The whole text, one object. cJSON itself bounds the depth (CJSON_NESTING_LIMIT, client/CMakeLists.txt). */
static cJSON *parse(const char *text, size_t size)
{
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(text, size, &end, 0);
    while (object && end < text + size &&
           (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t'))
        end++;
    if (object && cJSON_IsObject(object) && end == text + size)
        return object;
    cJSON_Delete(object);
    return NULL;
}

const char *answer_hello(const char *text, size_t size, struct client_hello *out, answer_note *note,
                         void *ctx)
{
    memset(out, 0, sizeof *out);
    cJSON *object = parse(text, size);
    const char *why = "its answer is no JSON";
    if (object)
        why = take_hello(object, out, note, ctx);
    cJSON_Delete(object);
    return why;
}

static void take_busy(const cJSON *list, struct client_reply *out)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        const char *disk = text_of(item, "disk"), *holder = text_of(item, "holder");
        if (out->busy_count == CLIENT_BUSY || !value_is_name(disk) || !*holder)
            continue;
        struct client_busy *busy = &out->busy[out->busy_count++];
        strcpy(busy->disk, disk);
        value_show(busy->holder, sizeof busy->holder, holder);
    }
}

bool answer_reply(const char *text, size_t size, struct client_reply *out)
{
    memset(out, 0, sizeof *out);
    cJSON *object = parse(text, size);
    if (!object)
        return false;
    value_show(out->state, sizeof out->state, text_of(object, "state"));
    value_show(out->error, sizeof out->error, text_of(object, "error"));
    out->wait_s = number_of(object, "wait", 1, MAX_SECONDS);
    out->renew_s = number_of(object, "renew", 1, MAX_SECONDS);
    take_busy(field(object, "busy"), out);
    cJSON_Delete(object);
    return true;
}

bool answer_is_object(const char *text, size_t size)
{
    cJSON *object = parse(text, size);
    bool is_one = object != NULL;
    cJSON_Delete(object);
    return is_one;
}
