// SPDX-License-Identifier: BSD-2-Clause
// A machine's report (docs/server.md: renew), as figures in range and texts of some length, whatever it says.
import {array, number, text} from "./format.js";

function export_of(disk) {
    const shared = disk.shared && typeof disk.shared === "object" ? disk.shared : disk;
    const profile = shared.profile && typeof shared.profile === "object" ? shared.profile : {};
    return {
        rate: number(shared.rate_bytes_per_s), rtt: number(shared.rtt_us),
        bytes: number(profile.bytes), streamed: Math.min(number(profile.streamed_bytes), number(profile.bytes)),
    };
}

function disk_of(disk) {
    return {
        name: text(disk.disk), ram: number(disk.ram_bytes), disk: number(disk.disk_bytes), network: number(disk.network_bytes),
        written: number(disk.written_bytes), stall: number(disk.blocked_us) / 1000, errors: number(disk.errors),
        ...export_of(disk),
    };
}

const is_object = value => value && typeof value === "object";

export function read_report(report) {
    const from = is_object(report) ? report : {};
    return {
        marks: array(from.boot, 40).filter(is_object).map(mark => ({ms: number(mark.ms), what: text(mark.what)}))
            .sort((a, b) => a.ms - b.ms),
        vms: array(from.vms, 64).filter(is_object).map(vm => ({name: text(vm.name), state: text(vm.state)})),
        disks: array(from.disks, 64).filter(is_object).map(disk_of),
    };
}
