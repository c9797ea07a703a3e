// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/virt.h"
#include "kernel/log.h"

const struct virt_ops *virt;

void virt_probe(struct leat_info *info)
{
    static const struct virt_ops *const known[] = {&vmx_ops, &svm_ops};
    const char *name = "";
    for (unsigned i = 0; i < 2; i++) {
        name = known[i]->name;
        info->virt = known[i]->probe(info);
        if (info->virt == LEAT_VIRT_VMX || info->virt == LEAT_VIRT_SVM) {
            virt = known[i];
            klog("guests run on %s", name);
            return;
        }
        if (info->virt != LEAT_VIRT_NONE)
            break;
    }
    if (info->virt == LEAT_VIRT_LOCKED_OFF)
        klog("no guests: %s is locked off; switch it on in the firmware's setup", name);
    else
        klog("no guests: %s", info->virt == LEAT_VIRT_LACKING
                                  ? info->virt_lacks
                                  : "the CPU has neither VT-x nor AMD-V");
}
