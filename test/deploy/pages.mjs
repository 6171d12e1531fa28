/* The pages and the program of README.md as they stand there: in Chromium, from
 * another port than the function's, and with AWS's SDK. The function is in the
 * local Lambda.
 *     pages.mjs [CHROMIUM]
 * Run from the top of the tree; test.sh has installed the packages. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

import { UNLIMITED, WORDS, check, equal, lambda, progress, run, skip }
    from '../clients/harness.mjs';

const BUILD = path.resolve('build/deploy');
const load = createRequire(path.join(BUILD, 'package.json'));
const chromium = process.argv[2];
const readme = fs.readFileSync('test/deploy/README.md', 'utf8');
const blocks = (kind) => [...readme.matchAll(
    new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs'))].map((m) => m[1]);
const PLACEHOLDER = 'https://YOURS.lambda-url.us-east-1.on.aws/';
const LATE = 'the deadline came before the last word';

/* Serves what `page.html` is on a port of its own. */
async function serve(page) {
    const server = http.createServer((_, answer) => {
        answer.setHeader('Content-Type', 'text/html; charset=utf-8');
        answer.end(page.html);
    });

    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {origin: `http://127.0.0.1:${server.address().port}`,
            stop: () => server.close()};
}

/* What stands in the page in the end, told by its last words. `cors` is for the
 * origin of the page, or none. */
async function show(browser, html, cors, ending, options = UNLIMITED) {
    const served = {html};
    const site = await serve(served);
    const it = await lambda([
        ...cors ? ['--cors', site.origin] : [], ...options,
        '--concurrency', '10'], './bootstrap');
    const page = await browser.newPage();
    const errors = [];

    served.html = html.replace(PLACEHOLDER, `${it.url}/`);

    page.on('pageerror', (error) => errors.push(`${error}`));
    page.on('console', (line) => line.type() === 'error' &&
            !line.text().includes('favicon') && errors.push(line.text()));
    check('the page has the address of the function',
          html.includes(PLACEHOLDER));
    await page.goto(`${site.origin}/`);

    let text = '';

    /* Where nothing may come, an error does. */
    while (!errors.length && !text.includes(ending)) {
        const now = await page.innerText('#words');

        if (now !== text)
            progress();
        text = now;
        await page.waitForTimeout(50);
    }
    await page.close();
    site.stop();
    await it.stop();
    return {text: text.trim(), errors};
}

async function in_chromium() {
    const browser = await load('playwright-core').chromium.launch({
        executablePath: chromium, args: [
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync']});

    try {
        for (const html of blocks('html')) {
            const title = html.match(/<title>(.*)<\/title>/)[1];
            const lines = html.match(/<script[^>]*>\n(.*)<\/script>/s)[1]
                .trim().split('\n').length;
            const seen = await show(browser, html, true, WORDS.at(-1));

            equal(title, seen, {text: WORDS.join(' '), errors: []});
            check(`${title}: short`, lines <= 15, lines);

            /* The second word would come behind the deadline. */
            const late = await show(
                browser, html.replace('delay=0.3', 'delay=800'), true, LATE,
                ['--timeout', '700']);

            equal(`${title}: the deadline is shown`, late.text,
                  `${WORDS[0]} ${LATE}`);

            const closed = await show(browser, html, false, WORDS.at(-1));

            check(`${title}: refused without --cors`,
                  closed.errors.length > 0 && closed.text === '', closed);
        }
    } finally {
        await browser.close();
    }
}

async function by_sdk() {
    const it = await lambda(UNLIMITED, './bootstrap');
    const file = path.join(BUILD, 'readme.mjs');

    fs.writeFileSync(file, blocks('js')[0]);
    equal('the SDK', execFileSync('node', [file], {encoding: 'utf8', env: {
        PATH: process.env.PATH, AWS_ENDPOINT_URL_LAMBDA: it.url,
        AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x',
        AWS_SECRET_ACCESS_KEY: 'x',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'}}),
        `${WORDS.join(' ')}\n`);
    await it.stop();
}

const tests = [by_sdk];
const help = execFileSync('build/lambda', ['--help'], {encoding: 'utf8'});

if (!chromium)
    skip('the pages: no chromium here');
else if (!help.includes('--cors'))
    skip('the pages: this local Lambda has no --cors');
else
    tests.push(in_chromium);
await run(...tests);
