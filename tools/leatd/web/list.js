// SPDX-License-Identifier: BSD-2-Clause
// A list of leatd's in pages: as many rows as a page has, however many there are. What did not change stays as it is.
import {get, query} from "./api.js";
import {button, h, newId} from "./dom.js";

const ROWS = 50;

// Rows by their key; the same row again if its item is the same, so that who stands in it with the keyboard stays there.
function update(body, items, key_of, make) {
    const old = new Map([...body.children].map(row => [row.dataset.key, row]));
    const inside = document.activeElement && document.activeElement.closest("tr");
    const focus = inside && inside.parentNode === body && {
        key: inside.dataset.key, at: [...inside.querySelectorAll("a, button")].indexOf(document.activeElement)};
    body.replaceChildren(...items.map(item => {
        const key = String(key_of(item));
        const text = JSON.stringify(item) + Math.floor(Date.now() / 60000); // ages change
        const kept = old.get(key);
        if (kept && kept.leatText === text)
            return kept;
        const row = make(item);
        row.dataset.key = key;
        row.leatText = text;
        return row;
    }));
    if (!focus || body.contains(document.activeElement))
        return;
    const row = [...body.children].find(each => each.dataset.key === focus.key);
    const target = row && row.querySelectorAll("a, button")[focus.at];
    if (target)
        target.focus();
}

// A table whose rows become cards on a narrow screen; the roles stay what they are then.
export function table(caption, columns, rows) {
    return h("table", {role: "table"}, h("caption", null, caption),
             h("thead", {role: "rowgroup"},
               h("tr", {role: "row"}, columns.map(name => h("th", {role: "columnheader", scope: "col"}, name)))),
             h("tbody", {role: "rowgroup"}, rows));
}

export function row(columns, cells) {
    return h("tr", {role: "row"}, cells.map((cell, i) => h("td", {role: "cell", "data-label": columns[i]}, cell)));
}

/*
 * {node, load, again}: options are path, caption, columns, cells(item) (one for each column), key(item), empty (a sentence), and
 * of these none or some: filters (name: text or null, beside the search), find (a label: there is a search), rows.
 */
export function list(options) {
    const state = {after: [], next: null, find: ""};
    const body = table(options.caption, options.columns, []);
    const empty = h("p", {class: "empty", hidden: true}, options.empty);
    const back = button("Previous", () => turn(() => state.after.pop()));
    const forth = button("Next", () => turn(() => state.after.push(state.next)));
    const where = h("span", {role: "status"});
    const pages = h("p", {class: "pages", hidden: true}, back, where, forth);
    const tbody = body.querySelector("tbody");
    const make = item => row(options.columns, options.cells(item));
    let asked = 0;

    async function load() {
        const turn_of = ++asked;
        const after = state.after[state.after.length - 1];
        const answer = await get(`${options.path}?${query({...options.filters, find: state.find, after,
                                                          limit: options.rows || ROWS})}`);
        if (turn_of !== asked)
            return; // another was asked meanwhile
        update(tbody, answer.items, options.key || (item => item.id || item.name), make);
        state.next = answer.next;
        body.hidden = !answer.items.length;
        empty.hidden = answer.items.length > 0;
        back.disabled = !state.after.length;
        forth.disabled = !state.next;
        where.textContent = `Page ${state.after.length + 1}`;
        pages.hidden = back.disabled && forth.disabled;
    }

    const show = error => {
        empty.textContent = error.message;
        empty.hidden = false;
    };

    function turn(act) {
        act();
        load().catch(show);
    }

    function search() {
        const id = newId();
        let wait;
        return h("p", {class: "search"}, h("label", {for: id}, options.find), h("input", {id, type: "search", maxlength: 60,
            autocomplete: "off", spellcheck: "false", input: event => {
                clearTimeout(wait);
                state.find = event.target.value.trim();
                wait = setTimeout(() => turn(() => (state.after = [])), 250);
            }}));
    }

    // Begins with the first page again, by filters that have changed.
    const again = () => turn(() => (state.after = []));
    return {node: h("section", {class: "list"}, options.find && search(), body, empty, pages), load, again};
}
