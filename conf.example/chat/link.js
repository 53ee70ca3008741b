/* Copyright (C) the ngx_wschat authors */

/*
 * The line to the server: one WebSocket at a time, joining a room, and coming
 * back to it after a break without losing or repeating a message.  Knows
 * frames, offsets and close codes; never the page.
 */


const ANSWER_TIMEOUT = 10000;       /* ms for the handshake, for "joined" */
const PROBE_TIMEOUT = 6000;         /* ms for a sign of life */
const KEEPALIVE = 240000;           /* ms of silence before we ask "who" */
const STEADY = 10000;               /* ms after which a join is a success */
const EARLY_MAX = 1000;             /* frames kept until "joined" arrives */


/*
 * on.state(state, detail)      "connecting", "joined", "waiting" (detail.why,
 *                              detail.until in ms of Date.now()), "ended"
 *                              (detail.why; no retry by itself), "out"
 * on.joined(frame, resumed)    before the frames of frame.history
 * on.ready()                   after them
 * on.frame(frame)              message, member, typing, who, direct: each
 *                              message once, oldest first
 * on.error(text)               the server's error on a joined connection
 * on.refused(text)             the very first join was refused
 */

export class Link {

    constructor(url, on) {
        this.url = url;
        this.on = on;
        this.socket = null;
        this.joined = false;
        this.attempts = 0;
        this.timers = new Map();
        this.forget();

        addEventListener("online", () => this.wake());
        document.addEventListener("visibilitychange", () => {
            if (document.visibilityState === "visible") {
                this.wake();
            }
        });
    }


    /* enters a room; an open connection of the same name moves over */

    join(room, name) {
        const move = this.joined && this.name === name;

        if (move) {
            this.send("leave", { room: this.room });

        } else {
            this.drop();
        }

        this.forget();
        this.room = room;
        this.name = name;
        this.attempts = 0;

        if (move) {
            this.ask();

        } else {
            this.connect();
        }
    }


    leave() {
        if (this.joined) {
            this.send("leave", { room: this.room });
        }

        this.drop();
        this.forget();
        this.on.state("out", {});
    }


    retry() {
        if (this.room !== null && !this.joined) {
            this.attempts = 0;
            this.drop();
            this.connect();
        }
    }


    /* false if there is no line to send on */

    send(action, members) {
        if (this.socket === null
            || this.socket.readyState !== WebSocket.OPEN)
        {
            return false;
        }

        this.socket.send(JSON.stringify({ action, ...members }));

        return true;
    }


    /* the rest is private */

    forget() {
        this.room = null;
        this.epoch = null;
        this.seen = 0;
        this.been = false;
        this.early = [];
    }


    timer(name, ms, run) {
        this.stop(name);
        this.timers.set(name, setTimeout(run, ms));
    }


    stop(name) {
        clearTimeout(this.timers.get(name));
        this.timers.delete(name);
    }


    /* ends the socket at once: a dead line would take minutes to close */

    drop() {
        const socket = this.socket;

        for (const name of [...this.timers.keys()]) {
            this.stop(name);
        }

        this.socket = null;
        this.joined = false;
        this.early = [];

        if (socket !== null) {
            socket.onopen = socket.onmessage = socket.onclose = null;
            socket.close(1000);
        }
    }


    connect() {
        let socket;
        let opened = false;

        this.on.state("connecting", {});

        try {
            socket = new WebSocket(this.url);

        } catch (e) {
            this.on.state("ended", { why: `Cannot connect: ${e.message}` });
            return;
        }

        this.socket = socket;
        this.timer("answer", ANSWER_TIMEOUT, () => this.lost(0, "", opened));

        socket.onopen = () => {
            opened = true;
            this.ask();
        };

        socket.onmessage = (event) => this.receive(event.data);
        socket.onclose = (event) => this.lost(event.code, event.reason, opened);
    }


    ask() {
        const join = { room: this.room, name: this.name };

        if (this.epoch !== null) {
            join.since = this.seen;
            join.epoch = this.epoch;
        }

        this.joined = false;
        this.early = [];
        this.timer("answer", ANSWER_TIMEOUT, () => this.lost(0, "", true));
        this.send("join", join);
    }


    receive(data) {
        let frame;

        this.stop("probe");
        this.timer("keepalive", KEEPALIVE * (0.75 + Math.random() / 4),
                   () => this.probe());

        try {
            frame = JSON.parse(data);

        } catch (e) {
            return;
        }

        if (frame === null || typeof frame !== "object") {
            return;
        }

        switch (frame.type) {

        case "joined":
            if (frame.room === this.room && !this.joined) {
                this.welcome(frame);
            }

            return;

        case "direct":
            this.on.frame(frame);
            return;

        case "message":
        case "member":
        case "typing":
        case "who":
            if (frame.room !== this.room) {
                return;
            }

            /* a live message may overtake the history it follows */

            if (this.joined) {
                this.deliver(frame);

            } else if (this.early.length < EARLY_MAX) {
                this.early.push(frame);
            }

            return;

        case "error":
        case undefined:
            this.fail(String(frame.message ?? "Unknown error")
                          .replace(/\.$/, ""));
            return;
        }
    }


    welcome(frame) {
        const history = Array.isArray(frame.history) ? frame.history : [];
        const resumed = this.epoch !== null && this.epoch === frame.epoch;
        const early = this.early;

        this.stop("answer");
        this.timer("steady", STEADY, () => { this.attempts = 0; });

        if (!resumed) {
            this.seen = 0;
        }

        this.epoch = frame.epoch ?? null;
        this.name = frame.name ?? this.name;
        this.joined = true;
        this.early = [];

        this.on.joined(frame, resumed, this.been);
        this.been = true;

        for (const old of history) {
            this.deliver(old);
        }

        /* an empty room has no message to resume from, but an offset */

        if (this.seen === 0) {
            this.seen = frame.offset ?? 0;
        }

        for (const late of early) {
            this.deliver(late);
        }

        this.on.state("joined", {});
        this.on.ready();
    }


    deliver(frame) {
        if (frame.type === "message" && typeof frame.offset === "number") {
            if (frame.offset <= this.seen) {
                return;
            }

            this.seen = frame.offset;
        }

        this.on.frame(frame);
    }


    fail(text) {
        if (this.joined) {
            this.on.error(text);

        } else if (this.been) {

            /* it let us in before: worth another try, later */

            this.drop();
            this.wait(`The server said: ${text}.`, true);

        } else {
            this.drop();
            this.forget();
            this.on.refused(text);
            this.on.state("out", {});
        }
    }


    lost(code, reason, opened) {
        this.drop();

        if (code === 1000 || code >= 4000) {

            /* somebody meant it: coming back is for the person to decide */

            this.on.state("ended", {
                why: reason || "The server ended the connection."
            });

        } else if (!opened) {
            this.wait("The server does not answer, or refuses to let us in.",
                      true);

        } else if (code === 1008) {
            this.wait("The connection was too slow.", true);

        } else if (code === 1001 || code === 1012) {
            this.wait("The server restarts.", false);

        } else {
            this.wait("The connection was lost.", false);
        }
    }


    /*
     * Doubles with every attempt; the random half keeps the members of a big
     * room from coming back in the same instant.
     */

    wait(why, slow) {
        const first = slow ? 3000 : 1000;
        const most = slow ? 60000 : 30000;
        const upper = Math.min(most, first * 2 ** this.attempts);
        const ms = upper / 2 + Math.random() * upper / 2;

        this.attempts++;
        this.timer("retry", ms, () => this.connect());
        this.on.state("waiting", {
            why: navigator.onLine ? why : "You are offline.",
            until: Date.now() + ms
        });
    }


    /* a laptop that slept does not know that its line is dead */

    wake() {
        if (this.joined) {
            this.probe();

        } else if (this.timers.has("retry")) {
            this.retry();
        }
    }


    probe() {
        if (this.timers.has("probe")) {
            return;
        }

        this.send("who", { room: this.room });
        this.timer("probe", PROBE_TIMEOUT, () => this.lost(0, "", true));
    }
}
