// SPDX-License-Identifier: BSD-2-Clause
// The frame: login, which page is shown, and asking leatd again every few seconds for what it shows.
import {get, login, logout, whenLoggedOut} from "./api.js";
import * as assignments from "./assignments.js";
import * as client from "./client.js";
import * as clients from "./clients.js";
import {controls} from "./dialog.js";
import * as disks from "./disks.js";
import {h, whenTrouble} from "./dom.js";
import * as images from "./images.js";
import * as log from "./log.js";
import * as online from "./online.js";

const pages = {online, clients, client, images, disks, assignments, log};
const in_nav = [["online", "Online"], ["clients", "Machines"], ["images", "Images"], ["disks", "Disks"],
                ["assignments", "Assignments"], ["log", "Log"]];
const find = id => document.getElementById(id);
const main = find("main"), trouble = find("trouble");
let round = 0; // of the page that is shown: an older one asks no more
let timer = 0;

function say(error) {
    trouble.textContent = error ? error.message : "";
    trouble.hidden = !error;
}

function stop() {
    round++;
    clearTimeout(timer);
}

async function ask_again(page, mine) {
    try {
        if (!document.hidden)
            await page.load();
        if (mine === round)
            say(null);
    } catch (error) {
        if (mine === round)
            say(error);
    }
    if (mine === round)
        timer = setTimeout(ask_again, page.every * 1000, page, mine);
}

function show() {
    const [name, argument] = location.hash.replace(/^#\//, "").split("/");
    const key = Object.hasOwn(pages, name) ? name : "online";
    const page = pages[key].make(argument || "");
    stop();
    say(null);
    document.querySelectorAll("dialog").forEach(dialog => dialog.close());
    document.title = `${page.title} – Leat`;
    for (const link of find("nav").children)
        link.setAttribute("aria-current", link.dataset.page === (page.within || key) ? "page" : "false");
    main.replaceChildren(page.node);
    ask_again(page, round);
}

function show_login(sentence) {
    stop();
    document.querySelectorAll("dialog").forEach(dialog => dialog.close());
    find("head").hidden = true;
    document.title = "Leat";
    say(sentence ? new Error(sentence) : null);
    const {rows, values} = controls([
        {name: "name", label: "Name", needed: true, most: 63, complete: "username"},
        {name: "password", label: "Password", kind: "password", needed: true, complete: "current-password"}]);
    const submit = h("button", {type: "submit", class: "first"}, "Log in");
    main.replaceChildren(h("form", {class: "login", submit: async event => {
        event.preventDefault();
        submit.disabled = true;
        try {
            const {name, password} = values();
            await login(name, password);
            await begin();
        } catch (error) {
            say(error);
        }
        submit.disabled = false;
    }}, h("h1", null, "Leat"), rows, submit));
    main.querySelector("input").focus();
}

async function begin() {
    const status = await get("status");
    find("who").textContent = `${status.administrator} on ${status.server}`;
    find("head").hidden = false;
    show();
}

whenTrouble(say);
whenLoggedOut(() => {
    if (!find("head").hidden)
        show_login("The login has ended: log in again.");
});
find("nav").append(...in_nav.map(([name, label]) => h("a", {href: `#/${name}`, "data-page": name}, label)));
find("logout").addEventListener("click", async () => {
    find("head").hidden = true;
    stop();
    try {
        await logout();
        show_login("");
    } catch (error) {
        show_login(error.message);
    }
});
window.addEventListener("hashchange", () => {
    if (!find("head").hidden && location.hash.startsWith("#/"))
        show();
});
begin().catch(error => show_login(error.status === 401 ? "" : error.message));
