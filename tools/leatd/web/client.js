// SPDX-License-Identifier: BSD-2-Clause
// One machine: what it is, what it runs, its boot as a picture, its disks, what it may have, what has happened to it.
import {ask, get, part_of, query} from "./api.js";
import {assignment_list} from "./assignments.js";
import {edit_client, new_key, remove_client} from "./clients.js";
import {confirm} from "./dialog.js";
import {difference_list} from "./disks.js";
import {button, facts, h} from "./dom.js";
import {bytes, percent, seconds, since, time} from "./format.js";
import {event_list} from "./log.js";
import {row, table} from "./list.js";
import {hits, progress, timeline} from "./picture.js";
import {read_report} from "./report.js";

const DISK_COLUMNS = ["Disk", "Boot profile", "Cache", "From the network", "Written", "Guest waited", "Link"];

function disk_row(disk) {
    return row(DISK_COLUMNS, [
        disk.name, progress(disk.streamed, disk.bytes), hits(disk.ram, disk.disk, disk.network), bytes(disk.network),
        bytes(disk.written), seconds(disk.stall), disk.rate ? `${bytes(disk.rate)}/s, ${seconds(disk.rtt / 1000)}` : "–"]);
}

function hardware(value) {
    try {
        return JSON.stringify(typeof value === "string" ? JSON.parse(value) : value, null, 1).slice(0, 4000);
    } catch {
        return String(value).slice(0, 4000);
    }
}

function end_session(session, reload) {
    confirm(`End the session of ${session.name}?`,
            "Its disks are taken away from it at once; what the guest has not flushed is lost.", "End the session", async () => {
                await ask("DELETE", `sessions/${part_of(session.id)}`);
                await reload();
            });
}

function show_session(session, reload) {
    const report = read_report(session.report), lives = session.ended === null;
    const all = report.disks.reduce((sum, disk) => ({hit: sum.hit + disk.ram + disk.disk,
                                                     all: sum.all + disk.ram + disk.disk + disk.network}), {hit: 0, all: 0});
    return [
        h("h2", null, lives ? "On now" : "Its last session"),
        facts(["Since", `${time(session.started)} (${since(session.started)} ago)`], ["Heard of", time(session.renewed)],
              ["Ended", lives ? null : `${time(session.ended)}: ${session.why}`], ["Address", session.address],
              ["Leat", session.version], ["Server", session.server],
              ["Cache", all.all ? `${percent(all.hit, all.all)} of what was read` : null],
              ["VMs", report.vms.map(vm => `${vm.name} ${vm.state}`).join(", ")]),
        lives && h("p", null, button("End the session", () => end_session(session, reload), {class: "danger"})),
        h("h3", null, "Boot"), timeline(report.marks),
        report.disks.length ? table("Disks of the machine", DISK_COLUMNS, report.disks.map(disk_row)) : null,
        h("details", null, h("summary", null, "Hardware, as it says"), h("pre", null, hardware(session.hardware))),
    ];
}

export function make(uuid) {
    const head = h("h1", null, "Machine"), who = h("div"), session = h("div", {id: "session"});
    const path = `clients/${part_of(uuid)}`;
    const assigned = assignment_list({client: uuid}, "Assigned to the machine itself", uuid);
    const of_group = h("div"), differences = difference_list({client: uuid});
    const events = event_list({client: uuid});
    let shown = "", group = null, by_group = null;

    // What it may have by its group, which may change.
    function load_group(now) {
        if (now !== group) {
            by_group = now ? assignment_list({group: now}, `Assigned to the group ${now}`) : null;
            of_group.replaceChildren(...(by_group ? [by_group.node] : []));
        }
        group = now;
        return by_group && by_group.load();
    }

    async function load() {
        const [client, sessions] = await Promise.all([get(path), get(`sessions?${query({client: uuid, limit: 1})}`)]);
        const text = JSON.stringify([client, sessions.items[0]]);
        if (text !== shown) { // else whoever reads or stands in it with the keyboard is not disturbed
            head.textContent = client.name;
            who.replaceChildren(
                facts(["UUID", client.uuid], ["Group", client.group], ["MAC addresses", client.macs.join(" ")],
                      ["Enabled", client.enabled ? "yes" : "no"], ["Expires", time(client.expires)], ["Note", client.note]),
                h("p", {class: "buttons"}, button("Edit", () => edit_client(client, load)),
                  button("New key", () => new_key(client)), button("Remove", () => remove_client(client, () => {
                      location.hash = "#/clients";
                  }), {class: "danger"})));
            session.replaceChildren(...(sessions.items.length ? show_session(sessions.items[0], load).filter(each => each)
                                                              : [h("p", {class: "empty"}, "It has never been on.")]));
        }
        shown = text;
        await Promise.all([load_group(client.group), assigned.load(), differences.load(), events.load()]);
    }

    const node = h("div", null, head, who, session, h("h2", null, "May have"), assigned.node, of_group,
                   h("h2", null, "Has written"), differences.node, h("h2", null, "What has happened"), events.node);
    return {title: "Machine", within: "clients", node, load, every: 3};
}
