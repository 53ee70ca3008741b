/* Copyright (C) the ngx_wschat authors */

/*
 * Who is in the room and who is typing.  A name may be there more than once:
 * one person with two tabs, or two persons.  Knows names; never messages.
 */

import { avatar, element, listed, shortened } from "./text.js";


const SHOWN = 100;                  /* rows of the list */
const FILTER_FROM = 16;             /* names that deserve a search field */
const TYPING = 4000;                /* ms a sign of typing holds */

const order = new Intl.Collator(undefined, { numeric: true });


/*
 * nodes: list, count, filter, more, typing;  choose(name) is called when a
 * person picks somebody, changed() when the number of people changed.
 */

export class People {

    constructor(nodes, choose, changed) {
        this.nodes = nodes;
        this.choose = choose;
        this.changed = changed;
        this.own = "";
        this.names = new Map();
        this.total = 0;
        this.typists = new Map();
        this.drawing = false;

        nodes.filter.addEventListener("input", () => this.draw());
        nodes.list.addEventListener("click", (event) => {
            const button = event.target.closest("button");

            if (button !== null) {
                this.choose(this.rows.get(button));
            }
        });
    }


    reset(members, own) {
        this.own = own;
        this.names.clear();
        this.total = 0;

        for (const name of members) {
            this.count(String(name), 1);
        }

        this.draw();
    }


    clear() {
        this.nodes.filter.value = "";
        this.reset([], "");

        for (const name of [...this.typists.keys()]) {
            this.rested(name);
        }
    }


    /*
     * Takes a coming or going; the server's count tells whether our list
     * already had it.  Returns "news" if the name is new or gone, "none" if
     * nothing changed for a reader, "stale" if the list is wrong.
     */

    member(event, name, count) {
        const before = this.names.get(name) ?? 0;

        if (count === this.total) {
            return (event === "join") === (before > 0) ? "none" : "stale";
        }

        this.count(name, event === "join" ? 1 : -1);
        this.draw();

        const after = this.names.get(name) ?? 0;

        if (after === 0) {
            this.rested(name);
        }

        if (typeof count === "number" && count !== this.total) {
            return "stale";
        }

        return (before === 0) === (after === 0) ? "none" : "news";
    }


    has(name) {
        return this.names.has(name);
    }


    typing(name) {
        if (name === this.own) {
            return;
        }

        clearTimeout(this.typists.get(name));
        this.typists.set(name, setTimeout(() => this.rested(name), TYPING));
        this.drawTyping();
    }


    rested(name) {
        clearTimeout(this.typists.get(name));

        if (this.typists.delete(name)) {
            this.drawTyping();
        }
    }


    count(name, by) {
        const now = (this.names.get(name) ?? 0) + by;

        this.total = Math.max(0, this.total + by);

        if (now > 0) {
            this.names.set(name, now);

        } else {
            this.names.delete(name);
        }
    }


    draw() {
        if (this.drawing) {
            return;
        }

        this.drawing = true;

        requestAnimationFrame(() => {
            this.drawing = false;
            this.drawList();
            this.changed();
        });
    }


    drawList() {
        const { list, count, filter, more } = this.nodes;
        const focused = this.rows?.get(document.activeElement);
        const wanted = filter.value.trim().toLocaleLowerCase();
        const names = [...this.names.keys()]
            .filter((name) => name.toLocaleLowerCase().includes(wanted))
            .sort((a, b) => (b === this.own) - (a === this.own)
                            || order.compare(a, b));
        const rest = names.length - SHOWN;

        this.rows = new Map();

        list.replaceChildren(...names.slice(0, SHOWN)
                                     .map((name) => this.row(name)));

        for (const [button, name] of this.rows) {
            if (name === focused) {
                button.focus({ preventScroll: true });
            }
        }

        count.textContent = this.names.size > 0 ? String(this.names.size) : "";
        filter.hidden = this.names.size < FILTER_FROM;

        if (filter.hidden) {
            filter.value = "";
        }

        more.hidden = rest <= 0 && names.length > 0;
        more.textContent = names.length === 0
                           ? "Nobody by that name."
                           : `and ${rest} more`;
    }


    row(name) {
        const self = name === this.own;
        const item = element("li");
        const node = element(self ? "div" : "button", "person");
        const face = element("span", "avatar");
        const times = this.names.get(name);

        avatar(face, name);
        face.setAttribute("aria-hidden", "true");
        node.append(face, element("bdi", "name", shortened(name)));

        if (times > 1) {
            node.append(element("span", "times", `\u00d7${times}`));
        }

        if (self) {
            node.append(element("span", "times", "you"));

        } else {
            node.type = "button";
            node.title = `Write to ${shortened(name)} alone`;
            this.rows.set(node, name);
        }

        item.append(node);

        return item;
    }


    drawTyping() {
        const names = [...this.typists.keys()];
        const node = this.nodes.typing;

        node.replaceChildren();

        if (names.length === 0) {
            return;
        }

        const dots = element("span", "dots");

        dots.setAttribute("aria-hidden", "true");
        dots.append(element("i"), element("i"), element("i"));

        node.append(dots, element("span", "", names.length > 3
                    ? "Several people are typing"
                    : `${listed(names, 3)} ${names.length > 1 ? "are" : "is"}`
                      + " typing"));
    }
}
