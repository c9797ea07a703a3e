// SPDX-License-Identifier: BSD-2-Clause
// Pictures: a boot as a time-line, where reads were answered from, and how much of a boot profile has come.
import {bytes, percent, seconds} from "./format.js";
import {h, svg} from "./dom.js";

const ROW = 34, TOP = 6, LETTER = 7.2;

// A row for each mark: what was reached, when, and the bar from the mark before to it. As wide as there is room.
function draw(marks, width) {
    const last = marks[marks.length - 1].ms || 1;
    const x = ms => (ms / last) * width;
    const height = TOP + marks.length * ROW;
    const picture = svg("svg", {class: "timeline", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
                                "aria-label": `Boot time-line: ${marks.length} marks in ${seconds(last)}`});
    marks.forEach((mark, i) => {
        const y = TOP + i * ROW, from = i ? x(marks[i - 1].ms) : 0, when = seconds(mark.ms);
        const room = Math.max(8, Math.floor((width - when.length * LETTER) / LETTER) - 2);
        const what = mark.what.length > room ? `${mark.what.slice(0, room - 1)}…` : mark.what;
        picture.append(svg("g", {class: "mark"}, svg("title", null, `${mark.what}: ${when}`),
            svg("text", {x: 0, y: y + 12}, what), svg("text", {x: width, y: y + 12, "text-anchor": "end"}, when),
            svg("rect", {class: "track", x: 0, y: y + 18, width, height: 8, rx: 2}),
            svg("rect", {class: "bar", x: from, y: y + 18, width: Math.max(2, x(mark.ms) - from), height: 8, rx: 2})));
    });
    return picture;
}

export function timeline(marks) {
    if (!marks.length)
        return h("p", {class: "empty"}, "The machine has not reported a boot.");
    const holder = h("div", {class: "picture"});
    let drawn = 0;
    new ResizeObserver(() => {
        const width = Math.max(200, Math.min(900, Math.floor(holder.clientWidth)));
        if (width !== drawn)
            holder.replaceChildren(draw(marks, width));
        drawn = width;
    }).observe(holder);
    return h("div", null, holder, h("details", null, h("summary", null, "The same as a list"),
        h("ol", null, marks.map(mark => h("li", null, `${seconds(mark.ms)}: ${mark.what}`)))));
}

// Streaming of the boot profile.
export function progress(streamed, whole) {
    if (!whole)
        return h("span", {class: "quiet"}, "no profile");
    const words = `${percent(streamed, whole)} of ${bytes(whole)}`;
    return h("span", {class: "progress"}, h("progress", {max: 1, value: streamed / whole, "aria-label": words}),
             h("span", null, words));
}

// Reads answered from RAM, from the machine's own disk, by the network; the first two are hits.
export function hits(ram, disk, network) {
    const all = ram + disk + network;
    if (!all)
        return h("span", {class: "quiet"}, "no reads yet");
    const words = `${percent(ram + disk, all)} hits`;
    let at = 0;
    const bars = [["ram", ram], ["disk", disk], ["network", network]].map(([name, part]) => {
        const bar = svg("rect", {class: name, x: at, y: 0, width: (100 * part) / all, height: 8});
        at += (100 * part) / all;
        return bar;
    });
    const title = `RAM ${bytes(ram)}, local disk ${bytes(disk)}, network ${bytes(network)}`;
    return h("span", {class: "hits"}, svg("svg", {viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img",
                                                  "aria-label": title}, svg("title", null, title), bars),
             h("span", null, words));
}
