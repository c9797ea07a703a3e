// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/virt.h"
#include "kernel/log.h"

const struct virt_ops *virt;

static bool has_amd_v(void)
{
    uint32_t eax = 0x80000000, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (eax < 0x80000001)
        return false;
    eax = 0x80000001;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx & (1u << 2); /* AMD APM vol. 3, E.4.1: SVM */
}

void virt_probe(struct leat_info *info)
{
    info->virt = vmx_ops.probe(info->virt_lacks);
    switch (info->virt) {
    case LEAT_VIRT_VMX:
        virt = &vmx_ops;
        klog("guests run on VT-x");
        return;
    case LEAT_VIRT_NONE:
        if (has_amd_v()) {
            info->virt = LEAT_VIRT_LACKING;
            format(info->virt_lacks, sizeof(info->virt_lacks), "AMD-V is not supported yet");
        }
        break;
    default:
        break;
    }
    klog("no guests: %s", info->virt == LEAT_VIRT_LOCKED_OFF
                              ? "VT-x is locked off; switch it on in the firmware's setup"
                          : info->virt == LEAT_VIRT_LACKING ? info->virt_lacks
                                                            : "the CPU has neither VT-x nor AMD-V");
}
