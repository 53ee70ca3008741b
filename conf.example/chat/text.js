/* Copyright (C) the ngx_wschat authors */

/*
 * Words from other people, made fit for the screen: names, lists of names,
 * times, links.  Makes text and elements; never sets markup.
 */


const NAME_SHOWN = 48;              /* characters of a name on the screen */

/* a picture, its skin, and what is joined to it */

const emoji = "(?:\\p{Emoji_Presentation}|\\p{Emoji}\\ufe0f)"
              + "(?:\\p{Emoji_Modifier}"
              + "|\\u200d\\p{Emoji}\\ufe0f?\\p{Emoji_Modifier}?)*";
const onlyEmoji = new RegExp(`^(?:${emoji}\\s*){1,3}$`, "u");

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, {
    weekday: "long", day: "numeric", month: "long"
});
const moment = new Intl.DateTimeFormat(undefined, {
    dateStyle: "full", timeStyle: "medium"
});


export function element(tag, className, text) {
    const node = document.createElement(tag);

    if (className) {
        node.className = className;
    }

    if (text !== undefined) {
        node.textContent = text;
    }

    return node;
}


/* what a person typed, without what JSON or a screen cannot carry */

export function clean(text) {
    return text.replace(/[\0-\x08\x0b-\x1f\x7f]/g, "")
        .replace(/\p{Surrogate}/gu, "\ufffd")
        .trim();
}


/*
 * A name within a sentence: cut, and isolated so that its direction cannot
 * reorder the words around it.
 */

export function named(name) {
    return `\u2068${shortened(name)}\u2069`;
}


export function shortened(name) {
    const plain = name.replace(/[\0-\x1f\u202a-\u202e\u2066-\u2069]/g, "");
    const letters = [...plain.slice(0, 4 * NAME_SHOWN)];

    if (letters.length <= NAME_SHOWN) {
        return letters.join("");
    }

    return letters.slice(0, NAME_SHOWN - 1).join("") + "\u2026";
}


export function listed(names, most) {
    const shown = names.slice(0, most).map(named);
    const rest = names.length - shown.length;

    if (rest > 0) {
        shown.push(rest === 1 ? "1 other" : `${rest} others`);
    }

    const last = shown.pop();

    return shown.length === 0 ? last : `${shown.join(", ")} and ${last}`;
}


/* the colour and the letter that stand for a name */

export function avatar(node, name) {
    let hash = 0;

    for (let i = 0; i < name.length && i < 100; i++) {
        hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
    }

    node.style.setProperty("--hue", String(hash % 24 * 15));
    node.textContent = initial(name);
}


function initial(name) {
    const plain = shortened(name).trim();

    if (plain === "") {
        return "?";
    }

    if (typeof Intl.Segmenter === "function") {
        const parts = new Intl.Segmenter().segment(plain);

        return [...parts][0].segment.slice(0, 16).toLocaleUpperCase();
    }

    return [...plain][0].toLocaleUpperCase();
}


/* a time stamp of the server; one that cannot be read is now */

export function instant(text) {
    const date = new Date(text);

    return Number.isNaN(date.getTime()) ? new Date() : date;
}


export function timeOf(date) {
    const node = element("time", "time", clock.format(date));

    node.dateTime = date.toISOString();
    node.dir = "ltr";
    node.title = moment.format(date);

    return node;
}


export function dayOf(date) {
    const today = new Date();
    const yesterday = new Date();

    yesterday.setDate(today.getDate() - 1);

    if (date.toDateString() === today.toDateString()) {
        return "Today";
    }

    if (date.toDateString() === yesterday.toDateString()) {
        return "Yesterday";
    }

    return day.format(date);
}


/* puts a message's text into node; addresses become links */

export function fill(node, text) {
    const address = /\bhttps?:\/\/[^\s<>"]{2,2000}/gi;
    let from = 0;

    for (const match of text.matchAll(address)) {
        const shown = match[0].replace(/[.,:;!?'")\]}]+$/, "");
        let url;

        try {
            url = new URL(shown);

        } catch (e) {
            continue;
        }

        const link = element("a", "", shown);

        link.href = url.href;
        link.target = "_blank";
        link.rel = "noopener noreferrer nofollow ugc";

        node.append(text.slice(from, match.index), link);
        from = match.index + shown.length;
    }

    node.append(text.slice(from));
}


/* one to three emoji and nothing else are shown big */

export function isEmoji(text) {
    return text.length <= 40 && onlyEmoji.test(text);
}
