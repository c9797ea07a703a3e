// SPDX-License-Identifier: BSD-2-Clause
// The machines that are on.
import {h} from "./dom.js";
import {array, number, seconds, since, text} from "./format.js";
import {list} from "./list.js";
import {hits, progress} from "./picture.js";

function what_runs(item) {
    const vms = array(item.vms).map(vm => `${text(vm.name)} ${text(vm.state)}`);
    const disks = array(item.disks).map(disk => {
        const image = disk.image ? ` (${disk.image} ${disk.version})` : "";
        return h("span", {class: disk.open ? "disk open" : "disk"}, `${disk.name}${image}${disk.open ? "" : ", not open"}`);
    });
    return h("span", {class: "stack"}, vms.length ? h("span", {class: "vms"}, vms.join(", ")) : null, disks);
}

function boot(item) {
    return item.boot ? `${text(item.boot.what)} at ${seconds(item.boot.ms)}` : "no report yet";
}

export function make() {
    const machines = list({
        path: "online", caption: "Machines that are on", find: "Name or address",
        columns: ["Machine", "Boots", "Reached", "Boot profile", "Cache", "On since"],
        empty: "No machine is on.", key: item => item.session,
        cells: item => [
            h("span", {class: "stack"}, h("a", {href: `#/client/${item.client}`}, item.name),
              h("span", {class: "quiet"}, [item.group, item.address].filter(each => each).join(", "))),
            what_runs(item), boot(item), progress(number(item.profile.streamed), number(item.profile.bytes)),
            hits(number(item.traffic.ram), number(item.traffic.disk), number(item.traffic.network)), since(item.started)],
    });
    return {title: "Online", node: h("div", null, h("h1", null, "Online"), machines.node), load: machines.load, every: 3};
}
