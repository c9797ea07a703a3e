// SPDX-License-Identifier: BSD-2-Clause
/* Intrusive doubly linked list with a sentinel. A node is in at most one list. */
#ifndef VDISK_LIST_H
#define VDISK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *node, struct list *at)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}
static inline void list_push_back(struct list *l, struct list *node)
{
    list_insert_before(node, l);
}
static inline void list_push_front(struct list *l, struct list *node)
{
    list_insert_before(node, l->next);
}

/* Leaves the node as a list of its own, so that removing twice is harmless. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, taken out; NULL: the list is empty. */
static inline struct list *list_pop(struct list *l)
{
    if (list_is_empty(l))
        return NULL;
    struct list *node = l->next;
    list_remove(node);
    return node;
}

#endif
