// SPDX-License-Identifier: BSD-2-Clause
// Dialogs: a form for what is changed, a question before what cannot be undone. leatd's refusals are shown in them.
import {button, h, newId} from "./dom.js";

/*
 * A field is {name, label, kind, value, needed, help, hint, min, max, step, most, empty}; kinds are text, password, number, check
 * and choice, with options: [[value, label], ...]. An empty text of a field with `empty` becomes that.
 */
function control(field) {
    const id = newId();
    const common = {id, name: field.name, required: field.needed};
    let input;
    if (field.kind === "choice") {
        input = h("select", common, field.options.map(([value, label]) =>
            h("option", {value, selected: value === (field.value ?? "")}, label)));
    } else if (field.kind === "check") {
        input = h("input", {...common, type: "checkbox", checked: field.value === true});
    } else {
        const type = {number: "number", password: "password"}[field.kind] || "text";
        input = h("input", {...common, type, value: field.value ?? "", min: field.min, max: field.max, step: field.step,
                            maxlength: field.most, autocomplete: field.complete || "off", spellcheck: "false",
                            autocapitalize: "off", placeholder: field.hint});
    }
    return {id, input};
}

function read(field, input) {
    if (field.kind === "check")
        return input.checked;
    if (input.value === "" && field.empty !== undefined)
        return field.empty;
    return field.kind === "number" ? Number(input.value) : input.value;
}

// The rows of a form, and a function that reads them: {rows, values}.
export function controls(fields) {
    const made = fields.map(field => ({field, ...control(field)}));
    return {
        rows: made.map(({field, id, input}) => h("div", {class: field.kind === "check" ? "row check" : "row"},
            h("label", {for: id}, field.label), input, field.help && h("small", null, field.help))),
        values: () => Object.fromEntries(made.map(({field, input}) => [field.name, read(field, input)])),
    };
}

function show(title, body, foot) {
    const id = newId();
    const before = document.activeElement;
    const dialog = h("dialog", {"aria-labelledby": id}, h("h2", {id}, title), body, foot);
    dialog.addEventListener("close", () => {
        dialog.remove();
        if (before && before.isConnected)
            before.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

// Asks for the fields and calls act with their values; what act throws is shown, and the dialog stays.
export function edit(title, fields, label, act) {
    const {rows, values} = controls(fields);
    const trouble = h("p", {role: "alert", class: "trouble", hidden: true});
    const submit = h("button", {type: "submit", class: "first"}, label);
    const form = h("form", {submit: async event => {
        event.preventDefault();
        submit.disabled = true;
        try {
            await act(values());
            dialog.close();
        } catch (error) {
            trouble.textContent = error.message;
            trouble.hidden = false;
        }
        submit.disabled = false;
    }}, rows, trouble, h("p", {class: "foot"}, button("Cancel", () => dialog.close()), submit));
    const dialog = show(title, form);
    return dialog;
}

// Asks before what cannot be undone.
export function confirm(title, sentence, label, act) {
    const dialog = edit(title, [], label, act);
    dialog.querySelector("form").prepend(h("p", null, sentence));
    dialog.querySelector("[type=submit]").className = "danger";
    dialog.querySelector("button[type=button]").focus();
}

// Shows something that leatd says only once.
export function tell(title, sentence, value) {
    const dialog = show(title, h("div", null, h("p", null, sentence), h("p", null, h("code", {class: "key"}, value))),
                        h("p", {class: "foot"}, button("Close", () => dialog.close(), {class: "first"})));
}
