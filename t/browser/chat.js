/* Copyright (C) the ngx_wschat authors */

/*
 * The chat page in a real browser: several people in one room of a running
 * server, a line that breaks, a server that restarts, a phone.  Knows the
 * page's ids and what a person would see; never the server's insides.
 *
 *     node t/browser/chat.js URL DIRECTORY [--restart COMMAND]
 *
 * URL is where "make run" serves the page; screenshots go to DIRECTORY.
 * COMMAND, if given, restarts or reloads the server while people talk.
 * Needs chromium (CHROMIUM= for another than /usr/bin/chromium) and the
 * package playwright-core, found through NODE_PATH.  Prints TAP; the exit
 * code is 0 if all is well, 1 if a check failed, 2 if it could not run.
 */

"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");


const SOON = 8000;                  /* ms for what should come at once */
const BACK = 45000;                 /* ms for a page to find back */
const STEP = 50;                    /* ms between two looks */

const DESKTOP = { width: 1180, height: 760 };
const PHONE = { width: 360, height: 740 };
const LONG_WORD = "Donaudampfschiffahrtselektrizitaeten".repeat(12);
const MARKUP = "<img src=x onerror=\"window.broken=1\"><b>bold</b>";
const ARABIC = "\u0634\u0643\u0631\u0627 \u062c\u0632\u064a\u0644\u0627";
const PARTY = "\u{1f389}\u{1f389}";

const usage = "usage: node t/browser/chat.js URL DIRECTORY"
              + " [--restart COMMAND]";

let checks = 0;
let failures = 0;


function check(good, name, detail) {
    checks++;

    if (good) {
        console.log(`ok ${checks} - ${name}`);
        return;
    }

    failures++;
    console.log(`not ok ${checks} - ${name}`);

    if (detail !== undefined) {
        console.log(`# ${JSON.stringify(detail)}`);
    }
}


const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });


/* looks until look() gives what is wanted, or the time is up */

async function eventually(name, wanted, look, time = SOON) {
    const until = Date.now() + time;
    const want = JSON.stringify(wanted);
    let got;

    do {
        got = await look();

        if (JSON.stringify(got) === want) {
            check(true, name);
            return;
        }

        await sleep(STEP);

    } while (Date.now() < until);

    check(false, name, { wanted, got });
}


/* a line to the server that can be cut, on a port of its own */

function relay(target) {
    const sockets = new Set();
    let down = false;

    const server = net.createServer((near) => {
        if (down) {
            near.destroy();
            return;
        }

        const far = net.connect(Number(target.port || 80), target.hostname);

        for (const [from, to] of [[near, far], [far, near]]) {
            sockets.add(from);
            from.on("error", () => to.destroy());
            from.on("close", () => { sockets.delete(from); to.destroy(); });
            from.pipe(to);
        }
    });

    return {
        listen: () => new Promise((done) => {
            server.listen(0, "127.0.0.1", () => {
                done(`http://127.0.0.1:${server.address().port}`
                     + target.pathname);
            });
        }),

        cut() {
            down = true;

            for (const socket of sockets) {
                socket.destroy();
            }
        },

        mend() {
            down = false;
        },

        close() {
            this.cut();
            server.close();
        }
    };
}


/* one person: a browser profile and a page */

class Person {

    constructor(name, url, room, shots) {
        Object.assign(this, { name, url, room, shots, problems: [] });
    }


    async open(browser, options) {
        this.context = await browser.newContext(options);
        this.page = await this.context.newPage();
        this.page.on("pageerror", (e) => this.problems.push(e.message));
        this.page.on("console", (message) => {
            const text = message.text();

            /* the browser itself reports lines that we cut */

            if (message.type() === "error"
                && !/WebSocket connection to/.test(text))
            {
                this.problems.push(text);
            }
        });

        await this.page.goto(`${this.url}#${encodeURIComponent(this.room)}`);

        return this;
    }


    async enter() {
        await this.page.fill("#enter-name", this.name);
        await this.page.press("#enter-name", "Enter");
        await this.state("joined");
    }


    async state(wanted, time = SOON) {
        await eventually(`${this.name} is ${wanted}`, wanted,
                         () => this.page.getAttribute("body", "data-state"),
                         time);
    }


    async say(text) {
        await this.page.fill("#text", text);
        await this.page.press("#text", "Enter");
    }


    /* the texts on the screen; what is still in the outbox does not count */

    texts() {
        return this.page.evaluate(() =>
            [...document.querySelectorAll(".scroller:not([hidden])"
                                          + " .log .text")]
                .map((node) => node.textContent));
    }


    async count(text) {
        return (await this.texts()).filter((t) => t === text).length;
    }


    async sees(text, time) {
        const short = JSON.stringify(text.slice(0, 40));

        await eventually(`${this.name} sees ${short} once`, 1,
                         () => this.count(text), time);
    }


    async here(names, time) {
        await eventually(`${this.name} sees who is here: ${names.join(", ")}`,
                         [...names].sort(),
                         () => this.page.evaluate(() =>
            [...document.querySelectorAll("#people .name")]
                .map((node) => node.textContent).sort()), time);
    }


    shot(name) {
        return this.page.screenshot({
            path: path.join(this.shots, `${name}.png`)
        });
    }


    /* nothing sticks out to the side */

    async fits() {
        const wide = await this.page.evaluate(() => {
            const edge = document.documentElement.clientWidth + 1;

            return [...document.querySelectorAll("#app *")]
                .filter((node) => node.checkVisibility({
                    visibilityProperty: true
                }))
                .filter((node) => {
                    const box = node.getBoundingClientRect();

                    return box.width > 1 && (box.right > edge || box.left < -1);
                })
                .map((node) => node.className || node.id || node.tagName);
        });

        check(wide.length === 0, `${this.name}: nothing is wider than the`
                                 + " screen", wide);
    }
}


async function talking(ann, ben, cara) {
    await ann.enter();
    await ann.here(["Ann"]);
    await ben.enter();
    await cara.enter();

    for (const person of [ann, ben, cara]) {
        await person.here(["Ann", "Ben", "Cara"]);
    }

    await ann.say("Morning! Did anybody water the tomatoes?");
    await ben.sees("Morning! Did anybody water the tomatoes?");
    await ben.say("I did, around six.");
    await ann.sees("I did, around six.");
    await ann.sees("Morning! Did anybody water the tomatoes?");

    for (const text of [MARKUP, LONG_WORD, ARABIC, PARTY]) {
        await cara.say(text);
        await ann.sees(text);
        await ben.sees(text);
    }

    check(await ann.page.evaluate(() => window.broken === undefined
              && document.querySelector(".log img, .log b") === null),
          "markup in a message stays text");

    check(await ann.page.evaluate((text) => [...document.querySelectorAll(
              ".bubble")].find((n) => n.firstChild.textContent === text)
              .matches(":dir(rtl)"), ARABIC),
          "Arabic runs from right to left");

    await ann.page.fill("#text", "one");
    await ann.page.press("#text", "Shift+Enter");
    await ann.page.type("#text", "two");
    await ann.page.press("#text", "Enter");
    await ben.sees("one\ntwo");
}


async function typing(ann, ben) {
    const shown = (person) => () => person.page.textContent("#typing");

    await ben.page.type("#text", "I think", { delay: 30 });
    await eventually("Ann sees that Ben types", "\u2068Ben\u2069 is typing",
                     shown(ann));
    check(await shown(ben)() === "", "Ben does not see himself typing");
    await ann.shot("desktop-light-typing");
    await ben.page.press("#text", "Enter");
    await eventually("his message ends it", "", shown(ann), 2000);
    await ann.sees("I think");
    await ben.page.type("#text", "and");
    await eventually("Ann sees it again", "\u2068Ben\u2069 is typing",
                     shown(ann));
    await eventually("and it fades by itself", "", shown(ann));
    await ben.page.fill("#text", "");
}


async function direct(ann, ben, cara) {
    const before = await cara.texts();

    await ann.page.click("#people button:has-text('Ben')");
    await ann.say("psst, only for you");
    await ann.sees("psst, only for you");
    await ann.shot("desktop-light-direct");
    await eventually("Ben has one unread message", "1",
                     () => ben.page.textContent("#menu-badge > span"));

    await ben.page.click("#menu");
    await ben.page.click("#directs button:has-text('Ann')");
    await ben.sees("psst, only for you");
    await ben.say("thanks");
    await ann.sees("thanks");
    await eventually("and none is unread then", true,
                     () => ben.page.isHidden("#menu-badge"));

    check(JSON.stringify(await cara.texts()) === JSON.stringify(before)
          && await cara.page.isHidden("#directs-section"),
          "Cara saw none of it");

    await ann.page.click("#rooms button");
    await ben.page.click("#menu");
    await ben.page.click("#rooms button");
}


/* a line that breaks while people talk: nothing lost, nothing twice */

async function broken(line, ann, ben) {
    const before = await ann.texts();

    line.cut();
    await ann.state("waiting");
    await ben.here(["Ben", "Cara"]);
    await ben.say("while you were away");
    await ben.say("and another");
    await ann.say("written without a line");
    await sleep(1000);
    check(await ann.page.isVisible("#banner"), "Ann is told");
    await ann.shot("desktop-light-waiting");

    line.mend();
    await ann.state("joined", BACK);
    check(await ann.page.isHidden("#banner"), "and told no longer");
    await ann.here(["Ann", "Ben", "Cara"]);
    await ben.sees("written without a line");
    await ann.sees("written without a line");

    check(JSON.stringify(await ann.texts()) === JSON.stringify([...before,
              "while you were away", "and another", "written without a line"]),
          "after the break: all of it, in order, nothing twice",
          await ann.texts());
    check(await ann.page.locator(".outbox .message").count() === 0,
          "nothing waits in the outbox");
}


function run(command) {
    return new Promise((done) => {
        const child = spawn("/bin/sh", ["-c", command],
                            { stdio: ["ignore", "ignore", "inherit"] });

        child.on("close", done);
    });
}


async function restarted(command, ann, ben, cara) {
    const before = await ann.texts();
    const people = [ann, ben, cara];
    const left = people.map((person) => person.page.waitForFunction(
        () => document.body.dataset.state !== "joined", null,
        { timeout: BACK, polling: 20 }).then(() => true, () => false));

    check(await run(command) === 0, "the restart command succeeds");
    check((await Promise.all(left)).every(Boolean),
          "everybody notices the restart");

    for (const person of people) {
        await person.state("joined", BACK);
    }

    for (const person of people) {
        await person.here(["Ann", "Ben", "Cara"], BACK);
    }

    await ben.say("back again?");
    await ann.sees("back again?");
    await cara.sees("back again?");

    check(JSON.stringify(await ann.texts())
          === JSON.stringify([...before, "back again?"]),
          "after the restart: nothing lost on the screen, nothing twice",
          await ann.texts());
}


async function phone(ben) {
    const { page } = ben;

    await ben.fits();
    await eventually("on a phone the people are away", true,
                     () => page.isHidden("#people"));
    await ben.shot("phone-dark");

    await page.click("#menu");
    await eventually("a button brings them", 0, () => page.evaluate(
        () => document.getElementById("side").getBoundingClientRect().x));
    await ben.fits();
    await ben.shot("phone-dark-people");
    await page.keyboard.press("Escape");
    await eventually("Escape puts them away", true,
                     () => page.isHidden("#people"));

    const box = await page.locator("#text").boundingBox();

    check(box !== null && box.y + box.height <= PHONE.height,
          "the composer is on the screen", box);
}


/* who comes late reads what was said, and gets along without a mouse */

async function late(dana, ann) {
    const { page } = dana;

    await ann.say("One.");
    await ann.sees("One.");
    await ann.say("Two.");
    await ann.sees("Two.");

    await dana.shot("phone-light-enter");
    await page.focus("#enter-name");
    await page.keyboard.type("Dana");
    await page.keyboard.press("Tab");
    check(await page.inputValue("#enter-room") === dana.room,
          "the link names the room");
    await page.keyboard.press("Enter");
    await dana.state("joined");
    await dana.here(["Ann", "Ben", "Cara", "Dana"]);
    await page.keyboard.type("hello from the keyboard");
    await page.keyboard.press("Enter");
    await ann.sees("hello from the keyboard");

    const last = (await ann.texts()).slice(-3);

    await eventually("the history is there", last,
                     async () => (await dana.texts()).slice(-3));
    await dana.fits();
    await dana.shot("phone-light");

    await page.reload();
    await dana.state("joined");
    await eventually("after a reload as well", last,
                     async () => (await dana.texts()).slice(-3));

    await page.click("#menu");
    await page.click("#leave");
    await dana.state("out");
    await ann.here(["Ann", "Ben", "Cara"]);
}


async function story(browser, target, shots, restart) {
    const room = `garden-${Date.now().toString(36).slice(-4)}`;
    const line = relay(target);
    const url = target.href;
    const phoneLike = {
        viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true
    };

    const ann = new Person("Ann", await line.listen(), room, shots);
    const ben = new Person("Ben", url, room, shots);
    const cara = new Person("Cara", url, room, shots);
    const dana = new Person("Dana", url, room, shots);

    try {
        await ann.open(browser, { viewport: DESKTOP, colorScheme: "light" });
        await ben.open(browser, { ...phoneLike, colorScheme: "dark" });
        await cara.open(browser, { viewport: DESKTOP, colorScheme: "dark" });

        await ann.shot("desktop-light-enter");
        await talking(ann, ben, cara);
        await typing(ann, ben);
        await direct(ann, ben, cara);
        await phone(ben);
        await cara.fits();
        await cara.shot("desktop-dark");
        await broken(line, ann, ben);

        if (restart !== undefined) {
            await restarted(restart, ann, ben, cara);
        }

        await dana.open(browser, { ...phoneLike, colorScheme: "light" });
        await late(dana, ann);

        await cara.context.close();
        await ann.here(["Ann", "Ben"]);
        await ann.shot("desktop-light");

        for (const person of [ann, ben, cara, dana]) {
            check(person.problems.length === 0,
                  `${person.name}: no error in the console`, person.problems);
        }

    } finally {
        line.close();
    }
}


async function main() {
    const [url, shots, option, restart] = process.argv.slice(2);
    let chromium;
    let target;

    if (shots === undefined
        || (option !== undefined
            && (option !== "--restart" || restart === undefined)))
    {
        console.error(usage);
        return 2;
    }

    try {
        ({ chromium } = require("playwright-core"));
        target = new URL(url);
        fs.mkdirSync(shots, { recursive: true });

    } catch (e) {
        console.error(e.message);
        return 2;
    }

    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
        args: ["--headless", "--no-sandbox", "--disable-gpu",
               "--disable-quic", "--no-first-run",
               "--disable-background-networking",
               "--disable-component-update", "--disable-sync"]
    });

    try {
        await story(browser, target, shots, restart);

    } catch (e) {
        check(false, `the story came to its end: ${e.message}`);

    } finally {
        await browser.close();
    }

    console.log(`1..${checks}`);

    return failures === 0 ? 0 : 1;
}


main().then((code) => { process.exitCode = code; }, (e) => {
    console.error(e.message);
    process.exitCode = 2;
});
