// SPDX-License-Identifier: BSD-2-Clause
// Elements made by hand. Whatever comes from leatd gets here as text alone: a machine may call itself "<script>".

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false)
            continue;
        if (typeof value === "function")
            node.addEventListener(name, value);
        else
            node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
    return node;
}

// An element; a function among the attributes listens to the event of that name. Children are nodes and texts.
export function h(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

let onTrouble = () => {};

// What a button's act throws is told to this.
export function whenTrouble(act) {
    onTrouble = act;
}

export function button(label, act, attributes) {
    const click = async () => {
        try {
            await act();
        } catch (error) {
            onTrouble(error);
        }
    };
    return h("button", {type: "button", click, ...attributes}, label);
}

// A list of what something is: pairs of a name and a text or node; those without a value are left out.
export function facts(...pairs) {
    return h("dl", {class: "facts"}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

let counter = 0;

export function newId() {
    return `id${++counter}`;
}
