# SPDX-License-Identifier: BSD-2-Clause
"""The machines that Leat can be tried on: Bochs as an Intel CPU (VT-x) or as an AMD one (AMD-V), QEMU's TCG (AMD-V),
QEMU with nested KVM.

Each is a class with the sockets it connects to (the serial line first), the command that starts it,
and what its end means. On all of them the host is 10.0.2.2 for the network card.
"""
import os
import shutil
import subprocess

import leatkvm

BOCHS_SHARE = "/usr/share/bochs"
BOCHS_OVMF = "/usr/share/ovmf/OVMF.fd"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
MAC = "52:54:00:1e:a7:01"


DISK_BUSES = ("ide", "ahci", "nvme", "virtio")


class MachineError(Exception):
    """This machine is not to be had here: one line for people."""


def require(path, package):
    if not os.path.exists(path):
        raise MachineError(f"{path} is missing; install the Debian package {package}")
    return path


class Bochs:
    name = "bochs"
    default_cpu = "corei7_haswell_4770"
    sockets = ("tcp",)
    PACKAGED = "/usr/bin/bochs"

    def __init__(self):
        self.binary = self.find()
        # Debian's build, with its debugger, takes about four times as long as a fast one.
        self.patience = 4 if os.path.realpath(shutil.which(self.binary)) == self.PACKAGED else 1

    @staticmethod
    def find():
        """LEAT_BOCHS, else the fast build in the user's cache, else Debian's package."""
        wanted = os.environ.get("LEAT_BOCHS")
        if wanted:
            if not shutil.which(wanted):
                raise MachineError(f"LEAT_BOCHS names {wanted}, which is no program")
            return wanted
        cached = os.path.expanduser("~/.cache/leat/bochs/bin/bochs")
        for candidate in (cached, Bochs.PACKAGED):
            if os.access(candidate, os.X_OK):
                return candidate
        raise MachineError("no Bochs: install the Debian package bochs")

    def about(self):
        """What it says of itself: version and options."""
        said = subprocess.run([self.binary, "--help"], capture_output=True, text=True, check=False, env=self.environment())
        return said.stdout + said.stderr

    def own_lines(self):
        """Lines of a bochsrc for this build of it, whatever the machine: no screen, no sound."""
        if "Bochs x86 Emulator 2." not in self.about():
            return ["display_library: nogui"]
        # Without the dummies the mixer aborts on a host that has no sound (a buffer overflow of its own).
        return ['display_library: rfb, options="timeout=0"', "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy"]

    def start_command(self, folder, lines):
        """Writes these lines of a bochsrc into the folder; the command that starts it, and its environment."""
        config = os.path.join(folder, "bochsrc")
        with open(config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        command = [self.binary, "-q", "-f", config]
        if "-rc filename" in self.about():  # built with the debugger, which stops before the first instruction
            start = os.path.join(folder, "start.rc")
            with open(start, "w", encoding="ascii") as file:
                file.write("c\n")
            command += ["-rc", start]
        return command, self.environment()

    def command(self, options, folder, addresses):
        # A private copy: Bochs locks the file that it uses.
        disk = os.path.join(folder, "disk.img")
        subprocess.run(["cp", "--sparse=always", options.image, disk], check=True)
        self.log = os.path.join(options.logs or folder, "bochs.log")
        lines = [
            f"cpu: model={options.cpu or self.default_cpu}, count={options.cpus}, ips=30000000, "
            "reset_on_triple_fault=0",
            f"megs: {options.memory}",
            f"romimage: file={require(BOCHS_OVMF, 'ovmf')}",
            f"vgaromimage: file={require(BOCHS_SHARE + '/VGABIOS-lgpl-latest', 'vgabios')}",
            "pci: enabled=1, chipset=i440fx, slot1=e1000",
            f"e1000: enabled=1, mac={MAC}, ethmod=slirp",
            f'ata0-master: type=disk, path="{disk}", mode=flat',
            *self.disk_lines(options.disks),
            "boot: disk",
            "clock: sync=none, time0=utc",
            "speaker: enabled=0",
            f"com1: enabled=1, mode=socket-client, dev={addresses[0][0]}:{addresses[0][1]}",
            "port_e9_hack: enabled=1",
            *self.own_lines(),
            f'log: "{self.log}"',
            "panic: action=fatal", "error: action=report", "info: action=ignore", "debug: action=ignore",
            *options.extra,
        ]
        return self.start_command(folder, lines)

    @staticmethod
    def disk_lines(disks):
        """Bochs has IDE alone, and two channels; it guesses a geometry from a size of whole cylinders."""
        places = ["ata0-slave", "ata1-master", "ata1-slave"]
        if any(bus != "ide" for bus, _ in disks) or len(disks) > len(places):
            raise MachineError(f"Bochs has {len(places)} places for more disks, all of them IDE")
        for _, path in disks:  # a Bochs that was killed has left its lock
            if os.path.exists(path + ".lock"):
                os.unlink(path + ".lock")
        lines = [f'{place}: type=disk, path="{path}", mode=flat' for place, (_, path) in zip(places, disks)]
        return lines + ["ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15"] * (len(disks) > 1)

    @staticmethod
    def environment():
        return dict(os.environ, BXSHARE=BOCHS_SHARE)

    def how_ended(self, status, own_log):
        said = self._read(self.log) + self._read(own_log)
        if "exception(): 3rd " in said:
            return "triple fault"
        if "ACPI control: soft power off" in said or "Shutdown port: shutdown requested" in said:
            return "power off"
        if status == 0 and ">>PANIC<<" not in said:
            return "power off"
        return f"exit {status}: {self.last_words(said.splitlines())}"

    @staticmethod
    def last_words(lines):
        panics = [line for line in lines if ">>PANIC<<" in line]
        return (panics or lines or [""])[-1].strip()

    @staticmethod
    def _read(path):
        try:
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - 65536))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


class BochsAmd(Bochs):
    name = "bochs-amd"
    default_cpu = "ryzen"


class Qemu:
    name = "qemu"
    sockets = ("serial", "qmp")
    patience = 1
    NICS = {"user": ["-nic", f"user,model=e1000,mac={MAC}"], "none": ["-nic", "none"],
            "silent": ["-netdev", "hubport,id=net,hubid=0", "-device", f"e1000,netdev=net,mac={MAC}"]}
    default_cpu = "EPYC,+svm,+npt"

    def __init__(self):
        self.binary = shutil.which("qemu-system-x86_64")
        if not self.binary:
            raise MachineError("no QEMU: install the Debian package qemu-system-x86")

    def command(self, options, folder, addresses):
        variables = options.variables or os.path.join(folder, "vars.fd")
        if not os.path.exists(variables):
            shutil.copyfile(require(OVMF_VARS, "ovmf"), variables)
        command = [
            self.binary, "-nodefaults", "-no-user-config", "-accel", self.accelerator(options), "-machine", options.board,
            "-cpu", options.cpu or self.default_cpu, "-smp", f"cores={options.cpus}", "-m", f"{options.memory}M",
            "-drive", f"if=pflash,format=raw,readonly=on,file={require(OVMF_CODE, 'ovmf')}",
            "-drive", f"if=pflash,format=raw,file={variables}",
            *(["-drive", f"if=ide,format=raw,snapshot=on,file={options.image.replace(',', ',,')}"] if options.image else []),
            *self.NICS[options.nic], "-vga", "std", "-display", "none", "-rtc", "base=utc",
            "-chardev", f"socket,id=line,path={addresses[0]}", "-serial", "chardev:line",
            "-chardev", f"socket,id=control,path={addresses[1]}", "-mon", "chardev=control,mode=control",
        ]
        for number, (bus, path) in enumerate(options.disks):
            # Each write is in the file when its command ends, and the host keeps no copy of its own.
            command += ["-drive", f"if=none,id=local{number},format=raw,cache=directsync,file={path.replace(',', ',,')}"]
            command += self.disk_device(bus, number, options.board)
        if not options.reboot:
            command.append("-no-reboot")
        if options.uuid:
            command += ["-uuid", options.uuid]
        # QEMU puts the copy of a snapshot disk there.
        return command + list(options.extra), dict(os.environ, TMPDIR=folder)

    @staticmethod
    def disk_device(bus, number, board):
        drive = f"drive=local{number}"
        slot = f"addr={4 + number:#x}"  # OVMF gives the first two of these another interrupt than the network card's
        if bus == "nvme":
            return ["-device", f"nvme,{drive},serial=local{number},{slot}"]
        if bus == "virtio":
            return ["-device", f"virtio-blk-pci,{drive},{slot}"]
        if bus == "ahci":
            return ["-device", f"ich9-ahci,id=ahci{number},{slot}", "-device", f"ide-hd,{drive},bus=ahci{number}.0"]
        if board != "pc" or number > 1:
            raise MachineError("the board has no place for this IDE disk: --board pc has two")
        return ["-device", f"ide-hd,{drive},bus=ide.1,unit={number}"]

    @staticmethod
    def accelerator(options):
        """One thread for all CPUs, which goes on to the next at a PAUSE. With a thread for each, one that holds a lock
        and does not run keeps the others spinning, and QEMU 7.2 has been seen to go on in the host's code with the
        guest's nested tables after a #VMEXIT. Counting instructions takes one too."""
        is_single = options.cpus > 1 or "-icount" in options.extra
        return "tcg,thread=" + ("single" if is_single else "multi")

    def how_ended(self, status, own_log):
        return "power off" if status == 0 else f"exit {status}: {self.last_words(Bochs._read(own_log).splitlines())}"

    @staticmethod
    def last_words(lines):
        own = [line for line in lines if "TCG doesn't support" not in line]
        return (own or [""])[-1].strip()


class Kvm(Qemu):
    name = "kvm"
    default_cpu = "host"

    @staticmethod
    def accelerator(options):
        return "kvm"

    def __init__(self):
        super().__init__()
        lacks = leatkvm.lacks(self.binary)
        if lacks:
            raise MachineError(f"no nested virtualization by KVM: {lacks}")


MACHINES = {machine.name: machine for machine in (Bochs, BochsAmd, Qemu, Kvm)}


def choose(name):
    """The machine of that name; auto: KVM if it nests, else QEMU, which is the faster one, else Bochs."""
    if name != "auto":
        return MACHINES[name]()
    reasons = []
    for candidate in (Kvm, Qemu, Bochs):
        try:
            return candidate()
        except MachineError as error:
            reasons.append(str(error))
    raise MachineError("; ".join(reasons))
