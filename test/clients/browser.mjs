/* curl and headless Chromium on the Function URL:
 * browser.mjs [CHROMIUM], without which there is curl alone. */
import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD, FOREVER, UNLIMITED, WORDS, check, equal, eventually, lambda,
         load, note, progress, run, skip } from './harness.mjs';

/* A browser asks for more than the page, /favicon.ico, and that is a request to
 * the function as any other. */
const SEVERAL = ['--concurrency', '10', ...UNLIMITED];
const SENTENCE = WORDS.join(' ');
const chromium = process.argv[2];
let browser;

/* To its end, or until the text is `enough`. */
function curl(url, options = [], enough = () => false) {
    return new Promise((done) => {
        const child = spawn('curl', ['-sSN', '--noproxy', '*', ...options,
                                     url]);
        const seen = {text: '', errors: ''};

        child.stdout.on('data', (bytes) => {
            progress();
            seen.text += bytes;
            if (enough(seen.text))
                child.kill();
        });
        child.stderr.on('data', (bytes) => seen.errors += bytes);
        child.on('error', (error) => done({...seen, errors: `${error}`}));
        child.on('close', (status) => done({...seen, status}));
    });
}

async function curl_word_by_word() {
    const it = await lambda(SEVERAL, './bootstrap');

    for (const [name, lines, ...options] of [
        ['a GET', null, '-G', '-d', 'format=text', '-d'],
        ['a POST', null, '-H', 'Content-Type: text/plain', '-d'],
        ['JSON lines', 10, '-d']]) {
        const ask = (delay) => [...options, name === 'a GET' ? `delay=${delay}`
            : `{"delay":${delay}${lines ? '' : ',"format":"text"'}}`];
        const seen = await curl(it.url, ask(0.05));
        const early = await curl(it.url, ask(FOREVER),
                                 (text) => text.includes(WORDS[0]));

        equal(`curl, ${name}: ends well`, [seen.status, seen.errors], [0, '']);
        if (lines)
            equal(`curl, ${name}: lines`, seen.text.match(/\n/g)?.length,
                  lines);
        else
            equal(`curl, ${name}: the text`, seen.text, `${SENTENCE}\n`);
        check(`curl, ${name}: the first word before the second is due`,
              early.text.includes(WORDS[0]) && !early.text.includes(WORDS[1]),
              early.text);
    }
    await it.stop();
}

/* Whether an element comes to show that text. */
const shows = (page, selector, text) => eventually(async () => {
    progress();
    return await page.evaluate((s) => document.querySelector(s)?.innerText
        .trim() ?? '', selector) === text;
});

/* Straight to the Function URL, as somebody types it. */
async function navigation() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await browser.newPage({viewport: {width: 640, height: 200}});
    const picture = path.join(BUILD, 'navigation.png');
    const go = (delay) => page.goto(`${it.url}/?format=text&delay=${delay}`,
                                    {waitUntil: 'commit'});

    await go(FOREVER);
    check('navigation: the first word before the second is due',
          await shows(page, 'body', WORDS[0]));
    await page.screenshot({path: picture});
    await go(0.1);
    check('navigation: the whole', await shows(page, 'body', SENTENCE));
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
    const fetch_words = (delay) => page.evaluate((delay) => {
        document.querySelector('#text').innerText = '';
        globalThis.done = (async () => {
            const answer = await fetch('/', {
                method: 'POST', headers: {'Content-Type': 'application/json'},
                body: `{"format":"text","delay":${delay}}`});
            const reader = answer.body.pipeThrough(new TextDecoderStream())
                .getReader();

            for (let r; !(r = await reader.read()).done;)
                document.querySelector('#text').append(r.value);
            return [answer.status, answer.headers.get('content-type')];
        })();
    }, delay);

    await fetch_words(FOREVER);
    check('fetch: the first word before the second is due',
          await shows(page, '#text', WORDS[0]));
    await fetch_words(0.1);
    check('fetch: the whole', await shows(page, '#text', SENTENCE));
    equal('fetch: the head', await page.evaluate(() => globalThis.done),
          [200, 'text/plain; charset=utf-8']);
    await page.close();
    await it.stop();
}

async function event_source() {
    const it = await lambda(SEVERAL, './bootstrap');
    const page = await open(it, `${style}<h3>EventSource</h3><ol></ol>`);
    const listen = (delay) => page.evaluate((delay) => {
        const source = new EventSource(`/?format=sse&delay=${delay}`);
        const events = [];

        globalThis.events = events;
        for (const type of ['start', 'word', 'complete', 'error', 'message'])
            source.addEventListener(type, (event) => {
                const data = event.data ? JSON.parse(event.data) : {};
                const line = document.createElement('li');

                events.push([type, data.data ?? data.status]);
                line.innerText = `${type} ${event.data}`;
                line.style.fontSize = '12px';
                document.querySelector('ol').append(line);
                if (type === 'complete' || type === 'error')
                    source.close();
            });
    }, delay);
    const events = () => page.evaluate(() => globalThis.events);

    await listen(FOREVER);
    await eventually(async () => (await events()).length > 1);
    equal('SSE: the first word before the second is due', await events(),
          [['start', 'start'], ['word', WORDS[0]]]);
    await page.screenshot({path: path.join(BUILD, 'events.png')});
    await listen(0.1);
    await eventually(async () => (await events()).at(-1)?.[0] === 'complete');
    equal('SSE: every event, in order', await events(), [
        ['start', 'start'], ...WORDS.map((w) => ['word', w]),
        ['complete', 'complete']]);
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
