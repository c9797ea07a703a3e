// SPDX-License-Identifier: BSD-2-Clause
// Figures and times for people. Each takes anything, since some of it was written by a machine that nobody trusts.

export function number(value) {
    return typeof value === "number" && value > 0 && value < 2 ** 53 ? value : 0;
}

export function text(value, most = 80) {
    return typeof value === "string" ? value.slice(0, most) : "";
}

export function array(value, most = 100) {
    return Array.isArray(value) ? value.slice(0, most) : [];
}

export function bytes(value) {
    let left = number(value);
    for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
        if (left < 1000 || unit === "TiB")
            return `${left < 10 && unit !== "B" ? left.toFixed(1) : Math.round(left)} ${unit}`;
        left /= 1024;
    }
}

export function seconds(ms) {
    const value = number(ms) / 1000;
    return value < 100 ? `${value.toFixed(2)} s` : `${Math.round(value)} s`;
}

export function percent(part, whole) {
    return number(whole) ? `${Math.floor(100 * Math.min(1, number(part) / whole))} %` : "–";
}

// Seconds since 1970 as the place has them; 0 is "never".
export function time(at) {
    return number(at) ? new Date(at * 1000).toLocaleString() : "never";
}

export function since(at) {
    const passed = Math.max(0, Date.now() / 1000 - number(at));
    if (passed < 90)
        return `${Math.round(passed)} s`;
    if (passed < 5400)
        return `${Math.round(passed / 60)} min`;
    return passed < 172800 ? `${Math.round(passed / 3600)} h` : `${Math.round(passed / 86400)} days`;
}
