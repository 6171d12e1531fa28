/* curl and headless Chromium on the Function URL:
 * browser.mjs [CHROMIUM], without which there is curl alone. */
import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD, WORDS, check, equal, lambda, load, note, run, skip, sleep }
    from './harness.mjs';

/* A browser asks for more than the page, /favicon.ico, and that is a request to
 * the function as any other. */
const SEVERAL = ['--concurrency', '10'];
const SENTENCE = WORDS.join(' ');
const chromium = process.argv[2];
let browser;

function curl(url, ...options) {
    return new Promise((done) => {
        const child = spawn('curl', ['-sSN', '--noproxy', '*', ...options,
                                     url]);
        const seen = {pieces: [], text: '', errors: ''};

        child.stdout.on('data', (bytes) => {
            seen.pieces.push(Date.now());
            seen.text += bytes;
        });
        child.stderr.on('data', (bytes) => seen.errors += bytes);
        child.on('error', (error) => done({...seen, errors: `${error}`}));
        child.on('close', (status) => done({...seen, status}));
    });
}

async function curl_word_by_word() {
    const it = await lambda([], './bootstrap');

    for (const [name, lines, ...options] of [
        ['a GET', null, '-G', '-d', 'format=text&delay=0.25'],
        ['a POST', null, '-H', 'Content-Type: application/json',
         '-d', '{"format":"text","delay":0.25}'],
        ['JSON lines', 10, '-d', '{"delay":0.25}']]) {
        const seen = await curl(it.url, ...options);
        const spread = seen.pieces.at(-1) - seen.pieces[0];

        equal(`curl, ${name}: ends well`, [seen.status, seen.errors], [0, '']);
        if (lines)
            equal(`curl, ${name}: lines`, seen.text.match(/\n/g)?.length,
                  lines);
        else
            equal(`curl, ${name}: the text`, seen.text, `${SENTENCE}\n`);
        check(`curl, ${name}: word by word`,
              seen.pieces.length >= 5 && spread >= 1000,
              seen.pieces);
    }
    await it.stop();
}

/* What the page shows, looked at again and again until it shows the end: each
 * state that differs from the one before, with its time. */
async function watch(page, selector, ending, limit_ms = 15000) {
    const states = [], start = Date.now();

    while (Date.now() - start < limit_ms) {
        const text = await page.evaluate(
            (s) => document.querySelector(s)?.innerText ?? '', selector);

        if (text.trim() !== states.at(-1)?.text)
            states.push({text: text.trim(), at: Date.now() - start});
        if (text.includes(ending))
            break;
        await sleep(50);
    }
    return states.filter((s) => s.text !== '');
}

/* Several states, each more than the one before, over more than a second. */
function check_growth(name, states, whole) {
    const texts = states.map((s) => s.text);
    const spread = states.at(-1)?.at - states[0]?.at;

    check(`${name}: grows`, texts.every(
        (t, i) => i === 0 || t.startsWith(texts[i - 1])), texts);
    check(`${name}: word by word`, texts.length >= 4 && spread >= 1000, states);
    equal(`${name}: the whole`, texts.at(-1), whole);
    note(`${name}: ${texts.length} states in ${spread} ms`);
}

/* Straight to the Function URL, as somebody types it. */
async function navigation() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await browser.newPage({viewport: {width: 640, height: 200}});
    const picture = path.join(BUILD, 'navigation.png');

    await page.goto(`${it.url}/?format=text&delay=0.5`, {waitUntil: 'commit'});
    await sleep(1400);

    const early = await page.evaluate(() => document.body.innerText.trim());

    await page.screenshot({path: picture});
    check('navigation: a part of the text in the middle',
          SENTENCE.startsWith(early) && early.includes('Hello this') &&
          early !== SENTENCE, early);
    check_growth('navigation', await watch(page, 'body', WORDS.at(-1)),
                 SENTENCE);
    await page.close();
    await it.stop();
}

/* A page of the Function URL's own origin, as the rules of browsers ask. */
async function open(it, html) {
    const page = await browser.newPage({viewport: {width: 640, height: 320}});

    await page.goto(`${it.url}/?format=text&delay=0`);
    await page.setContent(html);
    return page;
}

const style = '<style>body { font: 20px sans-serif; margin: 24px }</style>';

async function fetched() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await open(it, `${style}<h3>fetch()</h3><p id=text></p>`);

    await page.evaluate(() => {
        globalThis.done = (async () => {
            const answer = await fetch('/', {
                method: 'POST', headers: {'Content-Type': 'application/json'},
                body: '{"format":"text","delay":0.3}'});
            const reader = answer.body.pipeThrough(new TextDecoderStream())
                .getReader();

            for (let r; !(r = await reader.read()).done;)
                document.querySelector('#text').append(r.value);
            return [answer.status, answer.headers.get('content-type')];
        })();
    });
    check_growth('fetch', await watch(page, '#text', WORDS.at(-1)), SENTENCE);
    equal('fetch: the head', await page.evaluate(() => globalThis.done),
          [200, 'text/plain; charset=utf-8']);
    await page.close();
    await it.stop();
}

async function event_source() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await open(it, `${style}<h3>EventSource</h3><ol></ol>`);

    await page.evaluate(() => {
        const source = new EventSource('/?format=sse&delay=0.3');
        const events = [];

        globalThis.events = events;
        for (const type of ['start', 'word', 'complete', 'error', 'message'])
            source.addEventListener(type, (event) => {
                const data = event.data ? JSON.parse(event.data) : {};
                const line = document.createElement('li');

                events.push([type, data.data ?? data.status,
                             performance.now()]);
                line.innerText = `${type} ${event.data}`;
                line.style.fontSize = '12px';
                document.querySelector('ol').append(line);
                if (type === 'complete' || type === 'error')
                    source.close();
            });
    });
    await sleep(1100);

    const early = await page.evaluate(() => globalThis.events.length);

    await page.screenshot({path: path.join(BUILD, 'events.png')});
    check('SSE: some events in the middle', early > 1 && early < 9, early);
    await watch(page, 'ol', 'complete ');

    const events = await page.evaluate(() => globalThis.events);

    equal('SSE: every event, in order', events.map((e) => e.slice(0, 2)), [
        ['start', 'start'], ...WORDS.map((w) => ['word', w]),
        ['complete', 'complete']]);
    check('SSE: as they were sent', events.at(-1)[2] - events[0][2] >= 1000,
          events);
    note(`SSE: ${events.length} events in ` +
         `${Math.round(events.at(-1)[2] - events[0][2])} ms`);
    await page.close();
    await it.stop();
}

/* A tab that is closed in mid-stream harms nothing. */
async function closed_tab() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await browser.newPage();

    await page.goto(`${it.url}/?format=text&delay=0.3`, {waitUntil: 'commit'});
    await page.close();
    equal('a closed tab: the next request', (await curl(
        `${it.url}/?format=text&delay=0`)).text, `${SENTENCE}\n`);
    check('a closed tab: still running', it.running());
    await it.stop();
}

async function in_chromium() {
    const playwright = load('playwright-core');

    browser = await playwright.chromium.launch({
        executablePath: chromium, args: [
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync']});
    note(`Chromium ${browser.version()}`);
    try {
        for (const test of [navigation, fetched, event_source, closed_tab])
            await test();
    } finally {
        await browser.close();
    }
}

if (!chromium)
    skip('the tests in a browser: no chromium or playwright-core here');
await run(curl_word_by_word, ...chromium ? [in_chromium] : []);
