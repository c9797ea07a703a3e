// SPDX-License-Identifier: BSD-2-Clause
// Images and their versions: publish, withdraw, roll back. Importing is leatctl's: a browser is no place for a disk.
import {ask, get, part_of} from "./api.js";
import {confirm, edit} from "./dialog.js";
import {button, h} from "./dom.js";
import {bytes, time} from "./format.js";
import {list} from "./list.js";

const path_of = version => `images/${part_of(version.image)}/versions/${version.number}`;

function set_state(version, state, done) {
    const [title, sentence, label] = {
        published: ["Publish", "Disks that follow the newest published version get it at their next start, if it is the newest.",
                    "Publish"],
        withdrawn: ["Withdraw", "The next start gets the newest published version; who has a difference over this one keeps it.",
                    "Withdraw"],
    }[state];
    confirm(`${title} version ${version.number} of ${version.image}?`, sentence, label, async () => {
        await ask("PATCH", path_of(version), {state});
        await done();
    });
}

function change(version, done) {
    const file = "a path in the image folder; nothing: none";
    edit(`Edit version ${version.number} of ${version.image}`, [
        {name: "kernel", label: "Kernel", value: version.kernel, most: 255, empty: null, help: file},
        {name: "initrd", label: "Initrd", value: version.initrd, most: 255, empty: null, help: file},
        {name: "cmdline", label: "Command line", value: version.cmdline, most: 2047},
        {name: "note", label: "Note", value: version.note, most: 500}], "Save", async values => {
        await ask("PATCH", path_of(version), values);
        await done();
    });
}

function reset_profile(version) {
    confirm(`Reset the boot profile of ${version.image} ${version.number}?`,
            "The next machine boots without, and makes a new one.", "Reset", () => ask("DELETE", `${path_of(version)}/profile`));
}

async function roll_back(image, done) {
    const published = (await get(`images/${part_of(image)}/versions?limit=1000`)).items
        .filter(version => version.state === "published");
    const newest = published.pop(), before = published.pop();
    if (!newest) {
        confirm(`Roll ${image} back?`, "No version of it is published: there is nothing to withdraw.", "Close", () => {});
        return;
    }
    const then = before ? `from then on machines start with version ${before.number}`
                        : "no version before it is published: from then on no machine gets the disk";
    confirm(`Roll ${image} back?`, `Version ${newest.number} is withdrawn; ${then}.`, "Roll back", async () => {
        await ask("PATCH", path_of(newest), {state: "withdrawn"});
        await done();
    });
}

function version_list(image) {
    const versions = list({
        path: `images/${part_of(image)}/versions`, caption: `Versions of ${image}`, empty: "It has no version yet.",
        columns: ["Version", "State", "Size", "Made", "Hash tree", "Kernel", "Note", "Change"], key: version => version.number,
        cells: version => [
            `${version.number}`, h("span", {class: `state ${version.state}`}, version.state), bytes(version.size),
            time(version.created), version.hash_source ? "yes" : "no", version.kernel || "–", version.note || "–",
            h("span", {class: "buttons"}, version.state === "published"
                ? button("Withdraw", () => set_state(version, "withdrawn", versions.load),
                         {"aria-label": `Withdraw version ${version.number}`})
                : button("Publish", () => set_state(version, "published", versions.load),
                         {"aria-label": `Publish version ${version.number}`}),
              button("Edit", () => change(version, versions.load), {"aria-label": `Edit version ${version.number}`}),
              button("Reset profile", () => reset_profile(version),
                     {"aria-label": `Reset the profile of version ${version.number}`}))],
    });
    const node = h("div", null, h("p", null, button("Roll back", () => roll_back(image, versions.load),
                                                    {"aria-label": `Roll ${image} back`})), versions.node);
    return {node, load: versions.load};
}

export function make() {
    const opened = new Map(); // image: its list of versions
    const images = list({
        path: "images", caption: "Images", columns: ["Image", "Note"], rows: 30,
        empty: "There is no image: leatctl image import.",
        cells: image => {
            const versions = version_list(image.name), trouble = h("p", {role: "alert"});
            const show = event => {
                if (!event.target.open) {
                    opened.delete(image.name);
                    return;
                }
                opened.set(image.name, versions);
                versions.load().catch(error => (trouble.textContent = error.message));
            };
            return [h("details", {class: "image", toggle: show}, h("summary", null, image.name), trouble, versions.node),
                    image.note || "–"];
        },
    });
    const load = () => Promise.all([images, ...opened.values()].map(each => each.load()));
    return {title: "Images", node: h("div", {class: "images"}, h("h1", null, "Images"), images.node), load, every: 10};
}
