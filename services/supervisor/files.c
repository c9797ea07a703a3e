// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/files.h"

#include <stdio.h>
#include <string.h>

#include <leat/client.h>
#include "lib/config/value.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

#define KEEP_FREE (64ull << 20) /* for the services and the kernel, when a server asks for much */

static struct file {
    char name[LEAT_CLIENT_FILE];
    leat_handle_t mem; /* 0: free */
    uint64_t size;
    uint64_t va; /* in the process that fills it; 0: whole */
} files[FILES_MOST];

static struct file *find(const char *name)
{
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (files[i].mem != 0 && strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

static uint64_t whole_pages(uint64_t size)
{
    return (size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
}

bool files_has(const char *name)
{
    const struct file *file = find(name);

    return (file != NULL && file->va == 0) || machine_module(LEAT_MODULE_FILE, name) != NULL;
}

int64_t files_mem(const char *name, uint64_t *size)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_FILE, name);
    const struct file *file = find(name);

    if (file != NULL && file->va == 0) {
        *size = file->size;
        return leat_handle_grant(LEAT_SELF, file->mem, LEAT_RIGHT_READ);
    }
    if (module == NULL) {
        return LEAT_ENOENT;
    }
    *size = module->size;
    return machine_module_mem(module);
}

static void give_up(struct file *file)
{
    leat_handle_close(file->mem);
    *file = (struct file){0};
}

static struct file *free_place(void)
{
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (files[i].mem == 0) {
            return &files[i];
        }
    }
    return NULL;
}

/* NULL, or why a server may not give this. */
static const char *judge(const char *name, uint64_t size)
{
    uint64_t there = machine_free_bytes();
    char checked[LEAT_CLIENT_FILE];
    const char *why = value_file(name, checked, sizeof(checked));

    if (why != NULL) {
        return why;
    }
    if (machine_module(LEAT_MODULE_FILE, name) != NULL) {
        return "boot has loaded a file of this name already";
    }
    if (size == 0 || size > LEAT_CLIENT_FILE_BYTES) {
        return "it is empty, or larger than 512 MiB";
    }
    return there < KEEP_FREE || size > there - KEEP_FREE ? "too little memory is free" : NULL;
}

const char *files_make(struct process *client, const char *name, uint64_t size, uint64_t *va)
{
    const char *why = judge(name, size);
    struct file *file = find(name);
    int64_t mem;

    if (why != NULL) {
        return why;
    }
    if (file != NULL && file->va == 0) {
        return "a VM may have it already";
    }
    if (file != NULL) {
        leat_mem_unmap(client->domain, file->va, whole_pages(file->size));
        give_up(file);
    }
    file = free_place();
    if (file == NULL) {
        return "there are 64 files already";
    }
    mem = leat_mem_create(whole_pages(size), 0);
    *va = mem > 0 ? process_map(client, (leat_handle_t)mem, size, LEAT_PROT_READ | LEAT_PROT_WRITE)
                  : 0;
    if (*va == 0) {
        if (mem > 0) {
            leat_handle_close((leat_handle_t)mem);
        }
        return "too little memory is free";
    }
    *file = (struct file){.mem = (leat_handle_t)mem, .size = size, .va = *va};
    snprintf(file->name, sizeof(file->name), "%s", name);
    return NULL;
}

void files_finish(struct process *client)
{
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (files[i].va != 0) {
            leat_mem_unmap(client->domain, files[i].va, whole_pages(files[i].size));
            files[i].va = 0;
        }
    }
}

void files_forget(void)
{
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (files[i].mem != 0) {
            give_up(&files[i]);
        }
    }
}

void files_drop(void)
{
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (files[i].va != 0) {
            give_up(&files[i]);
        }
    }
}
