// SPDX-License-Identifier: BSD-2-Clause
// What is asked of leatd (docs/server.md). The token is in two parts: a cookie that no script sees, and this one.

const PART = "leat-page";
let onLoggedOut = () => {};
let part = null;

try {
    part = localStorage.getItem(PART);
} catch {
    // The browser keeps nothing: the login lasts as long as this page.
}

function keep(value) {
    part = value;
    try {
        if (value)
            localStorage.setItem(PART, value);
        else
            localStorage.removeItem(PART);
    } catch {
        // As above.
    }
}

// Another tab has logged in or out.
window.addEventListener("storage", event => {
    if (event.key === PART)
        part = event.newValue;
});

export class Refused extends Error {
    constructor(status, sentence) {
        super(sentence);
        this.status = status;
    }
}

export function whenLoggedOut(act) {
    onLoggedOut = act;
}

// leatd's answer; Refused with its sentence.
export async function ask(method, path, body) {
    let response, answer;
    try {
        response = await fetch(`/api/v1/${path}`, {
            method, cache: "no-store", credentials: "same-origin", redirect: "error",
            headers: {"X-Leat-Page": part || "none"}, body: body === undefined ? undefined : JSON.stringify(body),
        });
        answer = await response.json();
    } catch {
        throw new Refused(0, "leatd does not answer: is it running, and is this machine's network up?");
    }
    if (response.ok)
        return answer;
    if (response.status === 401 && path !== "login")
        onLoggedOut();
    throw new Refused(response.status, typeof answer.error === "string" ? answer.error : `leatd answers ${response.status}`);
}

export const get = path => ask("GET", path);

export async function login(name, password) {
    keep((await ask("POST", "login", {name, password})).page);
}

export async function logout() {
    try {
        await ask("POST", "logout", {});
    } finally {
        keep(null);
    }
}

// One part of a path; leatd's names need no escapes, but what a person has typed may.
export const part_of = name => encodeURIComponent(name);

export function query(pairs) {
    const found = new URLSearchParams();
    for (const [name, value] of Object.entries(pairs))
        if (value !== null && value !== undefined && value !== "")
            found.set(name, value);
    return found.toString();
}

// The names of all groups, images, disks: for choices.
export async function names(path) {
    const found = [];
    let page = {next: ""};
    while (page.next !== null) {
        page = await get(`${path}?${query({limit: 1000, after: page.next})}`);
        found.push(...page.items.map(item => item.name));
    }
    return found;
}
