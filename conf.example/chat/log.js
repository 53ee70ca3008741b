/* Copyright (C) the ngx_wschat authors */

/*
 * One conversation on the screen: its messages, the notices between them, and
 * the outbox of what was written here and has not come back from the server.
 * Knows the order and the look of messages; never the connection.
 */

import { avatar, dayOf, element, fill, instant, isEmoji, listed, shortened,
         timeOf } from "./text.js";


const KEPT = 600;                   /* elements of a conversation kept */
const TOGETHER = 300000;            /* ms within which messages group */
const ANSWER = 10000;               /* ms for a message to come back */
const LONG = 2000;                  /* characters that get a scroll bar */
const NEAR = 80;                    /* px from the end that count as the end */

export const OUTBOX_MAX = 50;


/*
 * put(text) sends a message and says whether there was a line to send it on;
 * moved() is called when the reader left or reached the end.
 */

export class Log {

    constructor(label, intro, put, moved) {
        this.put = put;
        this.moved = moved;
        this.outbox = [];
        this.last = null;
        this.day = "";
        this.presence = null;
        this.top = 0;
        this.missed = 0;
        this.drawing = false;

        this.node = element("div", "scroller");
        this.node.tabIndex = 0;
        this.node.setAttribute("role", "region");
        this.node.setAttribute("aria-label", label);

        this.list = element("div", "log");
        this.list.setAttribute("role", "log");
        this.list.setAttribute("aria-label", label);
        this.list.setAttribute("aria-relevant", "additions");

        this.waiting = element("div", "outbox");
        this.intro = element("p", "intro", intro);

        this.node.append(this.intro, this.list, this.waiting);

        this.node.addEventListener("scroll", () => this.scrolled(),
                                   { passive: true });
        new ResizeObserver(() => this.draw()).observe(this.node);
        this.stick(true);
    }


    /* a screen reader reads what is new, not what is loaded */

    loading(on) {
        this.list.setAttribute("aria-live", on ? "off" : "polite");
    }


    add(from, text, time, own) {
        const date = instant(time);

        this.newDay(date);

        const first = this.last === null
                      || this.last.from !== from
                      || date - this.last.date > TOGETHER;

        const row = this.row(from, text, own, first);

        row.bubble.append(timeOf(date));
        this.append(row.node);
        this.last = { from, date };

        if (own) {
            this.settle(text);

        } else if (!this.stuck) {
            this.missed++;
            this.moved();
        }
    }


    /* a line of the system's own: "info" or "error" */

    note(text, kind) {
        const node = element("p", `note ${kind}`, text);

        this.append(node);
        this.last = null;
    }


    /*
     * Comings and goings that follow each other share one line, and who came
     * and went within it is not worth a word.
     */

    came(event, name) {
        if (this.presence === null
            || this.presence.node !== this.list.lastElementChild)
        {
            this.presence = {
                node: element("p", "note info"), join: new Set(),
                leave: new Set()
            };
            this.append(this.presence.node);
            this.last = null;
        }

        const { node, join, leave } = this.presence;
        const there = event === "join" ? join : leave;
        const back = event === "join" ? leave : join;
        const words = [];

        if (!back.delete(name)) {
            there.add(name);
        }

        if (join.size > 0) {
            words.push(`${listed([...join], 3)} joined`);
        }

        if (leave.size > 0) {
            words.push(`${listed([...leave], 3)} left`);
        }

        node.textContent = words.join(", ");
        node.hidden = words.length === 0;
    }


    /* the outbox: "queued" until there is a line, "sent", or "failed" */

    write(text) {
        const row = this.row(null, text, true, this.outbox.length === 0);
        const entry = { text, node: row.node, state: "queued", timer: 0 };

        entry.status = element("p", "status");
        row.bubble.after(entry.status);

        this.outbox.push(entry);
        this.waiting.append(row.node);
        this.dispatch(entry);
        this.end();
    }


    /* the line is back: what went out on the old one is in doubt */

    flush() {
        for (const entry of [...this.outbox]) {
            if (entry.state === "sent") {
                this.doubt(entry, "Perhaps not sent.");

            } else if (entry.state === "queued") {
                this.dispatch(entry);
            }
        }
    }


    /* the server complains: most likely about the oldest message */

    reject(text) {
        const entry = this.outbox.find((e) => e.state === "sent");

        if (entry !== undefined) {
            this.doubt(entry, `Not sent: ${text}.`);
        }

        return entry !== undefined;
    }


    dispatch(entry) {
        const sent = this.put(entry.text);

        clearTimeout(entry.timer);
        entry.state = sent ? "sent" : "queued";
        entry.node.classList.remove("failed");
        entry.status.textContent = sent ? "" : "Will be sent when connected.";

        if (sent) {
            entry.timer = setTimeout(() => {
                if (entry.state === "sent") {
                    this.doubt(entry, "No answer from the server.");
                }
            }, ANSWER);
        }
    }


    doubt(entry, why) {
        const again = element("button", "", "Send again");
        const away = element("button", "", "Discard");

        clearTimeout(entry.timer);
        again.type = away.type = "button";
        again.addEventListener("click", () => this.dispatch(entry));
        away.addEventListener("click", () => this.remove(entry));

        entry.state = "failed";
        entry.node.classList.add("failed");
        entry.status.setAttribute("role", "alert");
        entry.status.replaceChildren(`${why} `, again, " ", away);
        this.draw();
    }


    settle(text) {
        const entry = this.outbox.find((e) => e.text === text
                                              && e.state !== "queued");

        if (entry !== undefined) {
            this.remove(entry);
        }
    }


    remove(entry) {
        clearTimeout(entry.timer);
        entry.node.remove();
        this.outbox = this.outbox.filter((e) => e !== entry);
    }


    clear() {
        for (const entry of [...this.outbox]) {
            this.remove(entry);
        }
    }


    end() {
        this.stick(true);
        this.draw();
    }


    row(from, text, own, first) {
        const node = element("div", "message");
        const body = element("div", "body");
        const bubble = element("p", "bubble");
        const words = element("span", "text");

        fill(words, text);

        bubble.dir = "auto";
        bubble.append(words);

        node.classList.toggle("own", own);
        node.classList.toggle("first", first);
        node.classList.toggle("emoji", isEmoji(text));

        if (text.length > LONG) {
            words.classList.add("long");
            words.tabIndex = 0;
        }

        if (!own) {
            const face = element("span", "avatar");

            face.setAttribute("aria-hidden", "true");
            avatar(face, from);
            node.append(face);
        }

        if (from !== null) {
            const author = element("bdi", "author", shortened(from));

            author.classList.toggle("unseen", own || !first);
            avatarColour(author, node);
            body.append(author, element("span", "unseen", ": "));
        }

        body.append(bubble);
        node.append(body);

        return { node, bubble };
    }


    newDay(date) {
        const key = date.toDateString();

        if (key !== this.day) {
            this.day = key;
            this.append(element("p", "day", dayOf(date)));
            this.last = null;
        }
    }


    append(node) {
        this.list.append(node);

        while (this.list.childElementCount > KEPT) {
            this.list.firstElementChild.remove();
        }

        this.draw();
    }


    /* once per frame, however many messages came */

    draw() {
        if (this.drawing) {
            return;
        }

        this.drawing = true;

        requestAnimationFrame(() => {
            this.drawing = false;

            if (this.stuck) {
                this.node.scrollTop = this.node.scrollHeight;
            }
        });
    }


    /* only a reader scrolls up; new content below is no reason to stay */

    scrolled() {
        const { scrollTop, scrollHeight, clientHeight } = this.node;
        const up = scrollTop < this.top;

        this.top = scrollTop;

        if (scrollHeight - scrollTop - clientHeight < NEAR) {
            this.stick(true);

        } else if (up) {
            this.stick(false);
        }
    }


    stick(on) {
        if (on === this.stuck) {
            return;
        }

        this.stuck = on;
        this.missed = 0;
        this.node.classList.toggle("stuck", on);
        this.moved();
    }
}


function avatarColour(author, node) {
    const face = node.querySelector(".avatar");

    if (face !== null) {
        author.style.setProperty("--hue",
                                 face.style.getPropertyValue("--hue"));
    }
}
