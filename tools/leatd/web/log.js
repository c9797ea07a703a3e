// SPDX-License-Identifier: BSD-2-Clause
// What has happened (events), and what administrators have changed (audit).
import {button, h, newId} from "./dom.js";
import {time} from "./format.js";
import {list} from "./list.js";

const KINDS = [["", "everything"], ["refused", "refused"], ["session", "sessions"], ["lease", "leases"], ["login", "logins"],
               ["enrolled", "enrolments"], ["verify", "wrong blocks"], ["server", "servers"]];

function event_options(filters) {
    return {
        path: "events", caption: "Events", columns: ["When", "Kind", "From", "What"], filters, empty: "Nothing of that kind.",
        cells: event => [time(event.at), h("span", {class: `kind ${event.kind}`}, event.kind), event.address || "–",
                         event.message],
    };
}

export function event_list(filters) {
    return list({...event_options(filters), rows: 20});
}

// What an entry has changed: the fields that differ.
function changes(entry) {
    const [before, after] = [entry.before, entry.after].map(text => {
        try {
            return JSON.parse(text) || {};
        } catch {
            return {};
        }
    });
    return Object.keys({...before, ...after}).filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
        .map(name => `${name}: ${JSON.stringify(before[name]) ?? "–"} → ${JSON.stringify(after[name]) ?? "–"}`).join("\n");
}

function audit_cell(entry) {
    const words = `${entry.action} ${entry.object}`, what = changes(entry);
    return what ? h("details", null, h("summary", null, words), h("pre", null, what)) : words;
}

export function make() {
    const filters = {kind: ""};
    const events = list({...event_options(filters), find: "Text or address"});
    const id = newId();
    const kinds = h("select", {id, change: event => {
        filters.kind = event.target.value;
        events.again();
    }}, KINDS.map(([value, label]) => h("option", {value}, label)));
    const audit = list({
        path: "audit", caption: "Changes by administrators", columns: ["When", "Who", "From", "What"], find: "What or address",
        empty: "Nothing was changed.", cells: entry => [time(entry.at), entry.who, entry.address, audit_cell(entry)],
    });
    const parts = [h("section", null, h("p", {class: "search"}, h("label", {for: id}, "Kind"), kinds), events.node),
                   h("section", {hidden: true}, audit.node)];
    const tabs = ["Events", "Changes"].map((name, i) => button(name, () => show(i), {"aria-pressed": i === 0}));

    function show(which) {
        parts.forEach((part, i) => (part.hidden = i !== which));
        tabs.forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === which)));
        load();
    }

    const load = () => (parts[1].hidden ? events : audit).load();
    return {title: "Log", node: h("div", null, h("h1", null, "Log"), h("p", {class: "tabs"}, tabs), parts), load, every: 5};
}
