// SPDX-License-Identifier: BSD-2-Clause
// The machines that are on.
import {get} from "./api.js";
import {facts, h} from "./dom.js";
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

// How many there are, and which servers look after them.
function show_status(node, status) {
    const servers = status.servers.map(server => h("span", {class: server.lost ? "lost" : null},
        `${server.name}: ${server.lost ? `away, last heard of ${since(server.alive)} ago` : server.addresses || "no nbdkit"}`));
    node.replaceChildren(facts(["Machines on", `${status.counts.sessions} of ${status.counts.clients}`],
                               ["Disks open", `${status.counts.leases}`],
                               ["Servers", h("span", {class: "stack"}, servers)]));
}

export function make() {
    const status = h("div", {id: "status"});
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
    const load = async () => {
        const [found] = await Promise.all([get("status"), machines.load()]);
        show_status(status, found);
    };
    return {title: "Online", node: h("div", null, h("h1", null, "Online"), status, machines.node), load, every: 3};
}
