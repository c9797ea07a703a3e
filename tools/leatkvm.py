# SPDX-License-Identifier: BSD-2-Clause
"""Does KVM here run hypervisors? Found out by trying: /dev/kvm can be there and run VMs that have neither VT-x nor
AMD-V themselves. The trial is a QEMU whose firmware is a few instructions, which look at CPUID and the VT-x MSRs
as a host kernel in there would see them."""
import os
import subprocess
import tempfile

# What the firmware writes into QEMU's isa-debug-exit; QEMU then ends with twice that, plus one.
NOTHING, VMX_ONLY, VMX, SVM_ONLY, SVM = range(1, 6)  # 0 would look like a QEMU that failed
EXIT_PORT = 0xF4

# Real mode, from the start of the last 64 KiB below 4 GiB.
CODE = bytes.fromhex(
    "be0100"          # 00        mov  si, NOTHING
    "66b801000000"    # 03        mov  eax, 1
    "0fa2"            # 09        cpuid
    "660fbae105"      # 0b        bt   ecx, 5             VT-x
    "7327"            # 10        jnc  amd
    "be0200"          # 12        mov  si, VMX_ONLY
    "66b982040000"    # 15        mov  ecx, 0x482         IA32_VMX_PROCBASED_CTLS
    "0f32"            # 1b        rdmsr
    "660fbae21f"      # 1d        bt   edx, 31            secondary controls
    "7339"            # 22        jnc  end
    "66b98b040000"    # 24        mov  ecx, 0x48b         IA32_VMX_PROCBASED_CTLS2
    "0f32"            # 2a        rdmsr
    "80e282"          # 2c        and  dl, 0x82           EPT, unrestricted guest
    "80fa82"          # 2f        cmp  dl, 0x82
    "7529"            # 32        jne  end
    "be0300"          # 34        mov  si, VMX
    "eb24"            # 37        jmp  end
    "66b801000080"    # 39  amd:  mov  eax, 0x80000001
    "0fa2"            # 3f        cpuid
    "660fbae102"      # 41        bt   ecx, 2             AMD-V
    "7315"            # 46        jnc  end
    "be0400"          # 48        mov  si, SVM_ONLY
    "66b80a000080"    # 4b        mov  eax, 0x8000000a
    "0fa2"            # 51        cpuid
    "660fbae200"      # 53        bt   edx, 0             nested paging
    "7303"            # 58        jnc  end
    "be0500"          # 5a        mov  si, SVM
    "89f0"            # 5d  end:  mov  ax, si
    f"e6{EXIT_PORT:02x}"  # 5f    out  EXIT_PORT, al
    "f4")             # 61        hlt
RESET_VECTOR = bytes.fromhex("e90d00")  # jmp 0: 16 bytes before the end, where a CPU starts

LACKS = {NOTHING: "a KVM guest here sees neither VT-x nor AMD-V",
         VMX_ONLY: "a KVM guest here sees VT-x without EPT or unrestricted guest",
         SVM_ONLY: "a KVM guest here sees AMD-V without nested paging"}


def firmware():
    return CODE.ljust(0xFFF0, b"\xf4") + RESET_VECTOR.ljust(16, b"\xf4")


def lacks(qemu):
    """None when a hypervisor can run in a KVM guest of this QEMU, else the reason why not, for people."""
    if not os.path.exists("/dev/kvm"):
        return "there is no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm may not be opened by this user"
    with tempfile.NamedTemporaryFile(prefix="leat-kvm-") as file:
        file.write(firmware())
        file.flush()
        try:
            trial = subprocess.run(
                [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "kvm",
                 "-machine", "q35", "-cpu", "host", "-m", "16M", "-bios", file.name,
                 "-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return "a KVM guest started for a trial did nothing for 20 s"
    found = trial.returncode >> 1 if trial.returncode & 1 else None
    if found in (VMX, SVM):
        return None
    if found in LACKS:
        return LACKS[found]
    said = trial.stderr.strip().splitlines()
    return f"a KVM guest started for a trial failed: {said[-1] if said else f'QEMU ended with {trial.returncode}'}"
