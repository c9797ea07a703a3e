// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/probe.h"

#include "tools/leatd/source.h"
#include "tools/leatd/startfile.h"
#include "tools/leatd/tree.h"

void probe_run(struct work *work)
{
    struct probe *p = (struct probe *)work;
    if (p->has_source)
        p->good = source_check(p->config, p->source, p->format, &p->size, p->why);
    struct probe_tree *tree = &p->tree;
    if (p->good && tree->is_given && p->size % TREE_BLOCK == 0 &&
        p->size / TREE_BLOCK == tree->blocks)
        tree->good = tree_check(p->config, tree->source, tree->root, tree->blocks, tree->why);
    for (struct probe_file *f = p->files; f < p->files + 2; f++)
        if (f->is_given)
            f->good = startfile_take(p->config, f->path, &f->size, f->sha256, f->why);
}
