// SPDX-License-Identifier: BSD-2-Clause
// Disks (an image, a write mode, limits), and what machines have written.
import {ask, get, names, part_of} from "./api.js";
import {confirm, edit} from "./dialog.js";
import {button, h} from "./dom.js";
import {bytes, time} from "./format.js";
import {list} from "./list.js";

const MODES = [["server", "server: each machine's writes are kept on the server"], ["private", "private: one writer at a time"],
               ["ram", "ram: writes are forgotten at the end"], ["local", "local: writes are kept in the machine"],
               ["read-only", "read-only"]];
const GIB = 2 ** 30, MIB = 2 ** 20;

function fields(disk) {
    return [
        {name: "version", label: "Version", kind: "number", value: disk.version, min: 1, empty: null,
         help: "nothing: the newest published one"},
        {name: "iops", label: "Requests a second, at most", kind: "number", value: disk.iops || 0, min: 0, empty: 0,
         help: "0: no limit"},
        {name: "bandwidth", label: "MiB a second, at most", kind: "number", value: (disk.bandwidth || 0) / MIB, min: 0,
         empty: 0, step: "any", help: "0: no limit"},
        {name: "note", label: "Note", value: disk.note, most: 500},
    ];
}

const body = values => ({...values, bandwidth: Math.round(values.bandwidth * MIB)});

function change(disk, done) {
    edit(`Edit the disk ${disk.name}`, fields(disk), "Save", async values => {
        await ask("PATCH", `disks/${part_of(disk.name)}`, body(values));
        await done();
    });
}

async function add(done) {
    const images = (await names("images")).map(name => [name, name]);
    edit("Add a disk", [
        {name: "name", label: "Name", needed: true, most: 63, help: "a-z 0-9 . _ -"},
        {name: "image", label: "Image", kind: "choice", options: [...images, ["", "none: an empty private disk"]], empty: null},
        {name: "mode", label: "Writes", kind: "choice", options: MODES},
        {name: "size", label: "Size in GiB", kind: "number", value: 0, min: 0, step: "any", empty: 0, help: "0: the image's"},
        ...fields({})], "Add", async values => {
        await ask("POST", "disks", {...body(values), size: Math.round((values.size * GIB) / 512) * 512});
        await done();
    });
}

function remove(disk, done) {
    confirm(`Remove the disk ${disk.name}?`,
            "Only one that is assigned to nobody, and that nobody has written to, can be removed.", "Remove", async () => {
                await ask("DELETE", `disks/${part_of(disk.name)}`);
                await done();
            });
}

function reset(difference, done) {
    confirm(`Reset what was written to ${difference.disk}?`,
            "All that was written is lost for ever; the next start begins with the image as it is.", "Reset", async () => {
                await ask("DELETE", `differences/${part_of(difference.id)}`);
                await done();
            });
}

function owner(difference) {
    if (!difference.client)
        return "the disk";
    const link = h("a", {href: `#/client/${difference.client}`}, difference.client);
    get(`clients/${part_of(difference.client)}`).then(client => (link.textContent = client.name), () => {});
    return link;
}

export function difference_list(filters) {
    const differences = list({
        path: "differences", caption: "Differences", columns: ["Disk", "Whose", "Over", "Size", "Begun", "Change"], filters,
        rows: 20, empty: "Nothing has been written.",
        cells: each => [
            each.disk, owner(each), each.image ? `${each.image} ${each.version}` : "nothing", bytes(each.size),
            time(each.created), each.dropped ? "is being removed"
                : button("Reset", () => reset(each, differences.load),
                         {class: "danger", "aria-label": `Reset what was written to ${each.disk}`})],
    });
    return differences;
}

export function make() {
    const limits = disk => [disk.iops && `${disk.iops} requests/s`, disk.bandwidth && `${bytes(disk.bandwidth)}/s`];
    const disks = list({
        path: "disks", caption: "Disks", columns: ["Name", "Image", "Writes", "Limits", "Note", "Change"],
        empty: "There is no disk.",
        cells: disk => [
            disk.name, disk.image ? `${disk.image} ${disk.version || "newest"}` : `empty, ${bytes(disk.size)}`, disk.mode,
            limits(disk).filter(each => each).join(", ") || "none", disk.note || "–",
            h("span", {class: "buttons"},
              button("Edit", () => change(disk, disks.load), {"aria-label": `Edit the disk ${disk.name}`}),
              button("Remove", () => remove(disk, disks.load), {"aria-label": `Remove the disk ${disk.name}`}))],
    });
    const differences = difference_list({});
    const node = h("div", null, h("h1", null, "Disks"), h("p", null, button("Add a disk", () => add(disks.load))), disks.node,
                   h("h2", null, "What machines have written"), differences.node);
    return {title: "Disks", node, load: () => Promise.all([disks.load(), differences.load()]), every: 10};
}
