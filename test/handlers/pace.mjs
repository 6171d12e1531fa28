// Reads tokens as upstream.mjs sends them, each with its time, and prints how
// late the first came after the request, and each after it was sent: medians of
// milliseconds. A pair of numbers a line of URL.
//     node pace.mjs CERTIFICATE ROUNDS DIRECT-URL PROXY-URL
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [file, rounds, ...urls] = process.argv.slice(2);
const ca = readFileSync(file);
const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true, ca }),
};
const now = () => performance.timeOrigin + performance.now();
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const body = '{"do":"stream","n":20,"ms":20}';

function round(url) {
    return new Promise((resolve, reject) => {
        const begun = now();
        const late = [];
        let first;
        const { protocol } = new URL(url);
        const request = (protocol === 'https:' ? https : http).request(url, {
            method: 'POST', agent: agents[protocol],
            headers: { 'Content-Type': 'application/json' },
        }, (answer) => {
            answer.setEncoding('utf8');
            answer.on('data', (text) => {
                first ??= now() - begun;
                for (const [, at] of text.matchAll(/"at":([0-9.]+)/g))
                    late.push(now() - at);
            });
            answer.on('end', () => resolve([first, median(late), late.length]));
        });
        request.on('error', reject);
        request.end(body);
    });
}

const first = urls.map(() => []);
const late = urls.map(() => []);
for (let i = 0; i <= rounds; i++) {
    for (const [u, url] of urls.entries()) {
        const [a, b, tokens] = await round(url);
        if (tokens !== 20) throw new Error(`${url}: ${tokens} tokens of 20`);
        if (i > 0) { first[u].push(a); late[u].push(b); } // not the cold one
    }
}
const [a, b] = [first.map(median), late.map(median)];
const row = (name, [direct, proxied]) => console.log(
    `${name}: ${direct.toFixed(2)} ms direct, ${proxied.toFixed(2)} ms ` +
    `through proxy.c, ratio ${(proxied / direct).toFixed(2)}`);
row('first byte', a);
row('each token', b);
process.exit(0);
