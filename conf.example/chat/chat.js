/* Copyright (C) the ngx_wschat authors */

/*
 * The page: the entrance, the conversations, the composer, and the wires from
 * the link to them.  Knows every other file here; no other file knows it.
 */

import { Link } from "./link.js";
import { Log, OUTBOX_MAX } from "./log.js";
import { People } from "./people.js";
import { avatar, clean, element, named, shortened } from "./text.js";


const TYPING_EVERY = 2000;          /* ms between two signs of typing */
const BANNER_AFTER = 700;           /* ms of silence about a short break */
const LEFT_FROM = 200;              /* characters left that are shown */
const DIRECTS_MAX = 100;            /* direct conversations kept */
const WHO_EVERY = 2000;             /* ms between two questions for names */

const $ = (id) => document.getElementById(id);

const directs = new Map();          /* name -> conversation */
let room = null;                    /* the room's conversation, once inside */
let current = null;                 /* the conversation on the screen */
let self = "";                      /* our name, as the server has it */
let typed = 0;                      /* when we last said that we type */
let unseen = 0;                     /* messages while the page is hidden */
let loading = false;                /* the history is no news */
let asking = 0;                     /* the timer of a question for names */

const people = new People({
    list: $("people"), count: $("people-count"), filter: $("people-filter"),
    more: $("people-more"), typing: $("typing")
}, (name) => { show(direct(name)); drawer(false); $("text").focus(); },
   () => titles());

const link = new Link(address(), {
    state, joined, ready, frame, error: complain, refused
});


function address() {
    const url = new URL(document.body.dataset.websocket, location.href);

    url.protocol = url.protocol.replace("http", "ws");
    url.hash = "";

    return url.href;
}


/*
 * The room is in the fragment, so that the address is the invitation.  The
 * name is remembered per tab first: two tabs may be two persons.  A browser
 * may forbid storage; then nothing is remembered.
 */

function recall(key) {
    try {
        return sessionStorage.getItem(key) ?? localStorage.getItem(key) ?? "";

    } catch (e) {
        return "";
    }
}


function remember(key, value) {
    try {
        sessionStorage.setItem(key, value);
        localStorage.setItem(key, value);

    } catch (e) {
        /* void */
    }
}


function inside(value) {
    try {
        if (value === undefined) {
            return sessionStorage.getItem("chat.inside") === "yes";
        }

        sessionStorage.setItem("chat.inside", value ? "yes" : "no");

    } catch (e) {
        /* void */
    }

    return false;
}


function roomOfAddress() {
    try {
        return clean(decodeURIComponent(location.hash.slice(1)));

    } catch (e) {
        return "";
    }
}


/* the entrance */

function entrance(message) {
    $("enter").hidden = false;
    $("app").hidden = true;
    $("enter-submit").disabled = false;
    $("enter-error").hidden = message === "";
    $("enter-error").textContent = message;
    $("enter-room").value = roomOfAddress() || recall("chat.room") || "lobby";
    $("enter-name").value = $("enter-name").value || recall("chat.name");
    document.title = "Chat";

    if ($("enter-name").value === "") {
        $("enter-name").focus();

    } else {
        $("enter-submit").focus();
    }
}


function enter(name, roomName) {
    remember("chat.name", name);
    remember("chat.room", roomName);
    history.replaceState(null, "", `#${encodeURIComponent(roomName)}`);

    $("enter-submit").disabled = true;
    $("enter-error").hidden = true;
    self = name;

    if (room !== null) {
        discard(room);
    }

    room = conversation(roomName, `Messages in ${shortened(roomName)}`,
                        `Welcome to #${named(roomName)}.`,
                        (text) => link.joined
                                  && link.send("message",
                                               { room: roomName, text }));
    people.clear();
    show(room);
    link.join(roomName, name);
}


function leave() {
    inside(false);
    link.leave();

    for (const talk of [room, ...directs.values()]) {
        discard(talk);
    }

    directs.clear();
    people.clear();
    room = current = null;
    drawer(false);
    entrance("");
}


function refused(text) {
    discard(room);
    room = current = null;
    inside(false);
    entrance(`The server said: ${text}`);
}


/* conversations */

function conversation(name, label, intro, put) {
    const talk = { name, unread: 0 };

    talk.log = new Log(label, intro, put, () => arrow());
    talk.log.node.hidden = true;
    $("logs").append(talk.log.node);

    return talk;
}


function direct(name) {
    let talk = directs.get(name);

    if (talk !== undefined) {
        return talk;
    }

    if (directs.size >= DIRECTS_MAX) {
        const [oldest, old] = [...directs].find(([, t]) => t !== current);

        discard(old);
        directs.delete(oldest);
    }

    talk = conversation(name, `Direct messages with ${shortened(name)}`,
                        `Only you and ${named(name)} read this. It is not`
                        + " kept: closing the page forgets it.",
                        (text) => link.joined
                                  && link.send("direct", { to: name, text }));
    talk.direct = true;
    directs.set(name, talk);
    entries();

    return talk;
}


function discard(talk) {
    talk?.log.clear();
    talk?.log.node.remove();
}


function show(talk) {
    if (current !== null) {
        current.log.node.hidden = true;
        current.draft = $("text").value;
    }

    current = talk;
    talk.unread = 0;
    talk.log.node.hidden = false;
    talk.log.draw();

    $("text").value = talk.draft ?? "";
    $("share").hidden = Boolean(talk.direct);
    $("typing").hidden = Boolean(talk.direct);
    grow();
    arrow();
    titles();
    entries();
}


/* the list of conversations at the side */

function entries() {
    const list = (talks) => talks.map((talk) => {
        const button = element("button", "entry");
        const mark = element("span", talk.direct ? "avatar" : "mark", "#");

        if (talk.direct) {
            avatar(mark, talk.name);
        }

        mark.setAttribute("aria-hidden", "true");
        button.type = "button";
        button.append(mark, element("bdi", "name", shortened(talk.name)));

        if (talk === current) {
            button.setAttribute("aria-current", "true");
        }

        if (talk.unread > 0) {
            button.append(badge(talk.unread));
        }

        button.addEventListener("click", () => {
            show(talk);
            drawer(false);
            $("text").focus();
        });

        return button;
    });

    const talks = [...directs.values()];
    const unread = [room, ...talks].reduce((sum, t) => sum + (t?.unread ?? 0),
                                           0);

    $("rooms").replaceChildren(...list(room === null ? [] : [room]));
    $("directs").replaceChildren(...list(talks));
    $("directs-section").hidden = talks.length === 0;

    $("menu-badge").hidden = unread === 0;
    $("menu-badge").replaceChildren(...badge(unread).childNodes);
}


function badge(number) {
    const node = element("span", "badge");
    const shown = element("span", "", number > 99 ? "99+" : String(number));

    node.append(shown, element("span", "unseen", " unread"));

    return node;
}


function titles() {
    if (current === null) {
        return;
    }

    const here = people.names.size;
    const label = (current.direct ? "" : "#") + shortened(current.name);

    $("title").textContent = label;

    if (current.direct) {
        $("subtitle").textContent = people.has(current.name)
                                    ? "Direct message"
                                    : "Direct message \u00b7 not in this room";

    } else {
        $("subtitle").textContent = here === 0
                                    ? "\u2026"
                                    : here === 1 ? "Only you are here"
                                                 : `${here} people here`;
    }

    $("text").placeholder = `Message ${label}`;
    document.title = (unseen > 0 ? `(${unseen}) ` : "")
                     + `${label} \u2013 Chat`;
}


function arrow() {
    const log = current?.log;

    if (log === undefined) {
        return;
    }

    $("down").hidden = log.stuck;
    $("down").classList.toggle("news", log.missed > 0);
    $("down").lastElementChild.textContent = log.missed > 0
                                             ? "New messages"
                                             : "To the end";
}


/* what the link says */

function joined(frame, resumed, again) {
    self = link.name;
    inside(true);

    $("enter").hidden = true;
    $("app").hidden = false;
    $("self-name").textContent = shortened(self);
    avatar($("self-avatar"), self);

    people.reset(Array.isArray(frame.members) ? frame.members : [], self);
    loading = !again;
    room.log.loading(loading);

    if (again && !resumed && room.log.list.childElementCount > 0) {
        room.log.note("The room was opened anew; what is above is kept only"
                      + " on this page.", "info");
    }

    if (!again) {
        $("text").focus();
    }

    show(current);
}


function ready() {
    for (const talk of [room, ...directs.values()]) {
        talk.log.flush();
    }

    loading = false;
    requestAnimationFrame(() => room?.log.loading(false));
}


function frame(message) {
    switch (message.type) {

    case "message":
        people.rested(String(message.from));
        arrived(room, message);
        return;

    case "direct":
        if (room !== null) {
            arrived(direct(String(message.from === self ? message.to
                                                        : message.from)),
                    message);
        }

        return;

    case "member":
        member(message);
        return;

    case "typing":
        people.typing(String(message.from));
        return;

    case "who":
        if (Array.isArray(message.members)) {
            people.reset(message.members, self);
        }

        return;
    }
}


function arrived(talk, message) {
    const own = message.from === self;

    talk.log.add(String(message.from), String(message.text), message.time, own);

    if (own || loading) {
        return;
    }

    if (talk !== current) {
        talk.unread++;
        entries();
    }

    if (document.hidden) {
        unseen++;
        titles();
    }
}


function member(message) {
    const name = String(message.name);

    switch (people.member(message.event, name, message.count)) {

    case "news":
        room.log.came(message.event, name);
        return;

    case "stale":
        clearTimeout(asking);
        asking = setTimeout(() => {
            link.send("who", { room: room?.name });
        }, Math.random() * WHO_EVERY);
        return;
    }
}


function complain(text) {
    const rejected = current !== null && current.log.reject(text);

    if (!rejected) {
        current?.log.note(`The server said: ${text}`, "error");
    }
}


/* the state of the connection, and the countdown to the next attempt */

let ticking = 0;
let hiding = 0;

function state(name, detail) {
    const banner = $("banner");

    document.body.dataset.state = name;
    clearInterval(ticking);

    if (name === "joined" || name === "out") {
        clearTimeout(hiding);
        hiding = 0;
        banner.hidden = true;
        $("banner-text").textContent = "";
        return;
    }

    /* the entrance has no banner: it says there what keeps it waiting */

    if (name !== "connecting") {
        $("enter-error").hidden = false;
        $("enter-error").textContent = detail.why + (name === "waiting"
                                       ? " Trying again." : "");
    }

    $("enter-submit").disabled = name === "connecting";

    if (banner.hidden && hiding === 0) {
        hiding = setTimeout(() => { banner.hidden = false; }, BANNER_AFTER);
    }

    banner.classList.toggle("ended", name === "ended");
    $("banner-retry").textContent = name === "ended" ? "Reconnect" : "Try now";
    $("banner-retry").hidden = name === "connecting";
    $("banner-count").textContent = "";

    if (name === "connecting") {
        $("banner-text").textContent ||= "Connecting\u2026";
        return;
    }

    $("banner-text").textContent = detail.why;

    if (name === "waiting") {
        const count = () => {
            const left = Math.ceil((detail.until - Date.now()) / 1000);

            $("banner-count").textContent = `Trying again in ${left} s.`;
        };

        count();
        ticking = setInterval(count, 500);
    }
}


/* the drawer: the side on a small screen */

function drawer(open) {
    if (open === document.body.classList.contains("drawer")) {
        return;
    }

    document.body.classList.toggle("drawer", open);
    $("menu").setAttribute("aria-expanded", String(open));
    $("main").inert = open;
    $("shade").hidden = !open;

    if (open) {
        $("side").querySelector("button").focus();

    } else {
        $("menu").focus();
    }
}


/* the composer */

function grow() {
    const box = $("text");
    const left = box.maxLength - box.value.length;

    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
    $("left").textContent = left <= LEFT_FROM ? `${left} left` : "";
    $("compose").classList.toggle("empty", box.value.trim() === "");
}


function submit() {
    const text = clean($("text").value);

    if (text === "" || current === null) {
        return;
    }

    if (current.log.outbox.length >= OUTBOX_MAX) {
        toast("Too much is waiting to be sent.");
        return;
    }

    current.log.write(text);
    $("text").value = "";
    typed = 0;
    grow();
}


function typing() {
    const now = Date.now();

    grow();

    if (current === room && $("text").value.trim() !== "" && link.joined
        && now - typed >= TYPING_EVERY)
    {
        typed = now;
        link.send("typing", { room: room.name });
    }
}


let toasting = 0;

function toast(text) {
    clearTimeout(toasting);
    $("toast").textContent = text;
    toasting = setTimeout(() => { $("toast").textContent = ""; }, 3000);
}


/* a page that is not served by https has no clipboard but the old one */

async function share() {
    try {
        await navigator.clipboard.writeText(location.href);

    } catch (e) {
        const box = element("textarea", "unseen", location.href);

        document.body.append(box);
        box.select();
        document.execCommand("copy");
        box.remove();
        $("share").focus();
    }

    toast("Link copied. Whoever opens it comes to this room.");
}


$("enter-form").addEventListener("submit", (event) => {
    const name = clean($("enter-name").value);
    const roomName = clean($("enter-room").value);

    event.preventDefault();

    if (name === "" || roomName === "") {
        entrance("A name and a room are needed.");
        return;
    }

    enter(name, roomName);
});

$("compose").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    $("text").focus();
});

$("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        submit();
    }
});

$("text").addEventListener("input", typing);
$("leave").addEventListener("click", leave);
$("share").addEventListener("click", share);
$("down").addEventListener("click", () => { current.log.end(); });
$("menu").addEventListener("click", () => drawer(true));
$("shade").addEventListener("click", () => drawer(false));
$("banner-retry").addEventListener("click", () => link.retry());

addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
        drawer(false);
    }
});

addEventListener("hashchange", () => {
    const wanted = roomOfAddress();

    if (room === null) {
        entrance("");

    } else if (wanted !== "" && wanted !== room.name) {
        enter(self, wanted);
    }
});

document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
        unseen = 0;
        titles();
    }
});

matchMedia("(min-width: 760px)").addEventListener("change",
                                                  () => drawer(false));


entrance("");

if (inside() && recall("chat.name") !== "" && roomOfAddress() !== "") {
    enter(recall("chat.name"), roomOfAddress());
}
