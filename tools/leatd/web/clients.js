// SPDX-License-Identifier: BSD-2-Clause
// All machines that are known, and groups.
import {ask, names, part_of} from "./api.js";
import {confirm, edit, tell} from "./dialog.js";
import {button, h} from "./dom.js";
import {enrolment_list} from "./enrolments.js";
import {time} from "./format.js";
import {list} from "./list.js";

const day = at => (at ? new Date(at * 1000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 10) : "");

// The end of that day, here; 0 is never.
function end_of(text) {
    if (!text)
        return 0;
    const [year, month, date] = text.split("-").map(Number);
    const at = Math.floor(new Date(year, month - 1, date + 1).getTime() / 1000);
    if (!/^\d{4}-\d\d-\d\d$/.test(text) || !Number.isFinite(at))
        throw new Error("a date is written YYYY-MM-DD");
    return at - 1;
}

async function fields(client) {
    const groups = (await names("groups")).map(name => [name, name]);
    return [
        {name: "name", label: "Name", value: client.name, needed: true, most: 63, help: "a-z 0-9 . _ -"},
        {name: "group", label: "Group", kind: "choice", value: client.group, options: [["", "none"], ...groups], empty: null},
        {name: "macs", label: "MAC addresses", value: (client.macs || []).join(" "), help: "up to eight, with blanks between"},
        {name: "enabled", label: "Enabled", kind: "check", value: client.enabled !== false},
        {name: "expires", label: "Expires", value: day(client.expires), hint: "YYYY-MM-DD", help: "nothing: never"},
        {name: "note", label: "Note", value: client.note, most: 500},
    ];
}

function body(values) {
    return {...values, macs: values.macs.split(/[\s,]+/).filter(mac => mac), expires: end_of(values.expires)};
}

export async function edit_client(client, done) {
    edit(`Edit ${client.name}`, await fields(client), "Save", async values => {
        await ask("PATCH", `clients/${part_of(client.uuid)}`, body(values));
        await done();
    });
}

async function add_client(done) {
    const uuid = {name: "uuid", label: "UUID", needed: true, help: "as the machine's screen shows it"};
    edit("Add a machine", [uuid, ...await fields({})], "Add", async values => {
        const made = await ask("POST", "clients", body(values));
        await done();
        tell(`${made.name} is known`, "Its key, shown this once:", `${made.uuid}:${made.key}`);
    });
}

export function new_key(client) {
    confirm(`A new key for ${client.name}?`, "The old one is worth nothing from then on: a session that lives ends.",
            "Make a new key", async () => {
                const made = await ask("POST", `clients/${part_of(client.uuid)}/key`, {});
                tell(`The new key of ${client.name}`, "Shown this once:", `${client.uuid}:${made.key}`);
            });
}

export function remove_client(client, done) {
    confirm(`Remove ${client.name}?`, "Its session ends, and what is assigned to it is forgotten.", "Remove", async () => {
        await ask("DELETE", `clients/${part_of(client.uuid)}`);
        await done();
    });
}

function group_fields(group) {
    return [
        {name: "menu_timeout", label: "Seconds of the boot menu", kind: "number", value: group.menu_timeout, min: 0, empty: null,
         help: "0: it waits; nothing: as leatd.conf says"},
        {name: "note", label: "Note", value: group.note, most: 500},
    ];
}

function add_group(done) {
    const name = {name: "name", label: "Name", needed: true, most: 63, help: "a-z 0-9 . _ -"};
    edit("Add a group", [name, ...group_fields({})], "Add", async values => {
        await ask("POST", "groups", values);
        await done();
    });
}

function edit_group(group, done) {
    edit(`Edit the group ${group.name}`, group_fields(group), "Save", async values => {
        await ask("PATCH", `groups/${part_of(group.name)}`, values);
        await done();
    });
}

function remove_group(group, done) {
    confirm(`Remove the group ${group.name}?`, "What is assigned to it is forgotten.", "Remove", async () => {
        await ask("DELETE", `groups/${part_of(group.name)}`);
        await done();
    });
}

export function make() {
    const clients = list({
        path: "clients", caption: "Known machines", find: "Name, UUID or MAC address", empty: "No machine is known.",
        columns: ["Name", "Group", "MAC addresses", "Enabled", "Expires", "Note"], key: client => client.uuid,
        cells: client => [h("a", {href: `#/client/${client.uuid}`}, client.name), client.group || "–",
                          client.macs.join(" ") || "–", client.enabled ? "yes" : "no", time(client.expires),
                          client.note || "–"],
    });
    const groups = list({
        path: "groups", caption: "Groups", columns: ["Name", "Boot menu", "Note", "Change"], empty: "There is no group.",
        cells: group => [
            group.name, group.menu_timeout === null ? "–" : `${group.menu_timeout} s`, group.note || "–",
            h("span", {class: "buttons"},
              button("Edit", () => edit_group(group, groups.load), {"aria-label": `Edit the group ${group.name}`}),
              button("Remove", () => remove_group(group, groups.load), {"aria-label": `Remove the group ${group.name}`}))],
    });
    const windows = enrolment_list();
    const node = h("div", null, h("h1", null, "Machines"), h("p", null, button("Add a machine", () => add_client(clients.load))),
                   clients.node, h("h2", null, "Enrolment"), windows.node, h("h2", null, "Groups"),
                   h("p", null, button("Add a group", () => add_group(groups.load))), groups.node);
    return {title: "Machines", node, load: () => Promise.all([clients, windows, groups].map(each => each.load())), every: 10};
}
