// SPDX-License-Identifier: BSD-2-Clause
// Windows in which machines may bring a key of their own.
import {ask, names, part_of} from "./api.js";
import {edit} from "./dialog.js";
import {button, h} from "./dom.js";
import {time} from "./format.js";
import {list} from "./list.js";

async function open_window(done) {
    const groups = (await names("groups")).map(name => [name, name]);
    edit("Open an enrolment window", [
        {name: "group", label: "Group that the machines get into", kind: "choice", options: groups, needed: true},
        {name: "minutes", label: "Minutes", kind: "number", value: 30, min: 0, needed: true, help: "0: until it is closed"},
        {name: "count", label: "Machines, at most", kind: "number", value: 1, min: 1, needed: true}], "Open", async values => {
        await ask("POST", "enrolments", {group: values.group, count: values.count, seconds: values.minutes * 60});
        await done();
    });
}

export function enrolment_list() {
    const windows = list({
        path: "enrolments", caption: "Enrolment windows", columns: ["For", "Machines", "Open until", "By", "Change"],
        empty: "No enrolment window: a machine that is not known has to be added by hand.", rows: 20,
        cells: each => [
            each.client ? h("a", {href: `#/client/${each.client}`}, each.client) : `group ${each.group}`,
            `${each.used} of ${each.count}`, time(each.expires), each.admin,
            button("Close", async () => {
                await ask("DELETE", `enrolments/${part_of(each.id)}`);
                await windows.load();
            }, {"aria-label": `Close the window of ${each.admin}`})],
    });
    const node = h("div", null, h("p", null, button("Open an enrolment window", () => open_window(windows.load))), windows.node);
    return {node, load: windows.load};
}
