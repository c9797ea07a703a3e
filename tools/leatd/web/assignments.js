// SPDX-License-Identifier: BSD-2-Clause
// Which machine or group may have which disk.
import {ask, get, names, part_of} from "./api.js";
import {confirm, edit} from "./dialog.js";
import {button, h} from "./dom.js";
import {list} from "./list.js";

const pairs = found => found.map(name => [name, name]);

// What can be changed later, too. `start` is there when leatd knows it.
function fields(assignment) {
    const start = {name: "start", label: "Start", kind: "choice", value: assignment.start || "menu",
                   options: [["menu", "when it is chosen in the menu"], ["always", "always"]]};
    return [
        {name: "label", label: "Name in the menu", value: assignment.label, most: 63, help: "nothing: the disk's name"},
        {name: "place", label: "Place in the menu", kind: "number", value: assignment.place || 0, min: 0, max: 1000, empty: 0},
        {name: "default", label: "Is the menu's default", kind: "check", value: assignment.default},
        ...(assignment.start === undefined ? [] : [start]),
        {name: "memory", label: "Memory of the VM, MiB", kind: "number", value: assignment.memory || 0, min: 0, empty: 0,
         help: "0: 512 MiB"},
        {name: "cpus", label: "CPUs of the VM", kind: "number", value: assignment.cpus || 0, min: 0, max: 256, empty: 0,
         help: "0: one"},
    ];
}

function change(assignment, done) {
    edit(`Edit the assignment of ${assignment.disk}`, fields(assignment), "Save", async values => {
        await ask("PATCH", `assignments/${part_of(assignment.id)}`, values);
        await done();
    });
}

function remove(assignment, done) {
    confirm(`Take ${assignment.disk} away?`, "A machine that has it open now loses it at its next renewal.", "Take away",
            async () => {
                await ask("DELETE", `assignments/${part_of(assignment.id)}`);
                await done();
            });
}

// `client` is a UUID when it is for one machine; else a group or a machine by its name is asked for.
async function add(client, done) {
    const [disks, groups] = await Promise.all([names("disks"), client ? [] : names("groups")]);
    const whom = client ? [] : [
        {name: "group", label: "Group", kind: "choice", options: [["", "none: a machine"], ...pairs(groups)], empty: null},
        {name: "client", label: "Machine", help: "its name or UUID, if it is for no group", empty: null}];
    const disk = {name: "disk", label: "Disk", kind: "choice", options: pairs(disks), needed: true};
    edit("Assign a disk", [disk, ...whom, ...fields({})], "Assign", async values => {
        await ask("POST", "assignments", client ? {...values, client} : values);
        await done();
    });
}

// A machine's name for its UUID; remembered, and the UUID when it cannot be found.
const known = new Map();

async function name_of(uuid) {
    if (!known.has(uuid))
        known.set(uuid, get(`clients/${part_of(uuid)}`).then(client => client.name, () => uuid));
    return known.get(uuid);
}

function whom(assignment) {
    if (!assignment.client)
        return `group ${assignment.group}`;
    const link = h("a", {href: `#/client/${assignment.client}`}, assignment.client);
    name_of(assignment.client).then(name => (link.textContent = name));
    return link;
}

// Those that the filters let through (of one machine or group, which then needs no column); `client` as in add.
export function assignment_list(filters, caption, client) {
    const has_whom = !filters.client && !filters.group;
    const assigned = list({
        path: "assignments", caption, columns: [...(has_whom ? ["Who"] : []), "Disk", "In the menu", "VM", "Change"], filters,
        empty: `${caption}: nothing.`,
        cells: each => [
            ...(has_whom ? [whom(each)] : []), each.disk,
            [`${each.place}. ${each.label || each.disk}`, each.default && "default", each.start === "always" && "always"]
                .filter(word => word).join(", "),
            `${each.memory || 512} MiB, ${each.cpus > 1 ? `${each.cpus} CPUs` : "1 CPU"}`,
            h("span", {class: "buttons"},
              button("Edit", () => change(each, assigned.load), {"aria-label": `Edit the assignment of ${each.disk}`}),
              button("Remove", () => remove(each, assigned.load), {"aria-label": `Remove the assignment of ${each.disk}`}))],
    });
    const node = h("div", null, !filters.group && h("p", null, button("Assign a disk", () => add(client, assigned.load))),
                   assigned.node);
    return {node, load: assigned.load};
}

export function make() {
    const assigned = assignment_list({}, "Assignments");
    const node = h("div", null, h("h1", null, "Assignments"), assigned.node);
    return {title: "Assignments", node, load: assigned.load, every: 10};
}
