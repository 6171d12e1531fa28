/* How fast the local Lambda answers, beside a server of Node.js in the same
 * run, and what it weighs under many, slow and silent clients. The requests a
 * second are figures; that everybody is answered, and the memory, are checked.
 *
 *     node test/clients/measure.mjs [SECONDS]    of each run of wrk (2) */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';

import { check, eventually, lambda, note, request, run, skip, sleep }
    from './harness.mjs';

const SECONDS = process.argv[2] ?? '2';
const PATIENCE_MS = 60000;
/* MB: several times what was seen, so that only growth of another kind fails. */
const MEMORY_MAX = 128;
/* What an idle sandbox keeps open, times as many as there are here. */
const SANDBOXES = 101 * 4;

const SERVER = `require('http').createServer((request, answer) => {
    answer.writeHead(200, {'Content-Type': 'text/plain; charset=utf-8'});
    answer.end('hello\\n');
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

const status = (it, name) => Math.round(+readFileSync(
    `/proc/${it.pid}/status`, 'utf8').match(RegExp(`^${name}:\\s*(\\d+)`, 'm'))[1]
    / 1024);
const memory = (it) => status(it, 'VmRSS');
const descriptors = (it) => readdirSync(`/proc/${it.pid}/fd`).length;

function wrk(url, connections) {
    const text = execFileSync('wrk', ['-t', '1', '-c', `${connections}`,
                                      '-d', `${SECONDS}s`, '--latency', url],
                              {encoding: 'utf8'});

    check(`wrk: ${connections} connections, ${url}`,
          !/Socket errors|Non-2xx/.test(text), text);
    return {rate: +text.match(/Requests\/sec:\s*([\d.]+)/)[1],
            count: +text.match(/(\d+) requests in/)[1],
            median: text.match(/^ *50%\s+(\S+)/m)[1],
            late: text.match(/^ *99%\s+(\S+)/m)[1]};
}

/* Of a process, in microseconds; the clock ticks 100 times a second. */
const cpu = ({pid}) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]
    .split(' ').slice(11, 13).reduce((a, b) => a + +b, 0) * 1e4;

/* What it costs the server beside. */
function loaded(server, url, connections) {
    const before = cpu(server);
    const seen = wrk(url, connections);

    seen.cpu = Math.round((cpu(server) - before) / seen.count);
    return seen;
}

async function rate() {
    try {
        execFileSync('wrk', ['-v'], {stdio: 'ignore'});
    } catch (error) {
        if (error.code === 'ENOENT') {
            skip('requests a second: no wrk here');
            return;
        }
    }
    const node = spawn(process.execPath, ['-e', SERVER],
                       {stdio: ['ignore', 'pipe', 'inherit']});
    const port = await new Promise((done) => node.stdout.once(
        'data', (text) => done(`${text}`.trim())));

    process.once('exit', () => node.kill());
    note('connections: requests a second, median, 99 %, CPU of a request in us');
    for (const n of [1, 10, 100]) {
        const it = await lambda(['--concurrency', `${Math.min(n, 10)}`],
                                './bootstrap');
        const url = `${it.url}/?delay=0&format=text&sentence=hello`;
        const ours = loaded(it, url, n);
        const theirs = loaded(node, `http://127.0.0.1:${port}/`, n);
        const text = (w) => `${Math.round(w.rate)}/s ${w.median} ${w.late} ${w.cpu}`;

        note(`${n}: lambda ${text(ours)}; node ${text(theirs)}; ` +
             `ratio ${(ours.rate / theirs.rate).toFixed(2)}`);
        await it.stop();
    }
    node.kill();
}

/* Connections that send some bytes and do nothing else. */
function open(it, count, text) {
    const {hostname, port} = new URL(it.url);

    return Promise.all(Array.from({length: count}, () => new Promise((done) => {
        const socket = net.connect({host: hostname, port}, () => {
            socket.write(text);
            done(socket);
        });

        socket.pause();
        socket.on('error', () => done(socket));
    })));
}

const get = (path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

async function is_served(it) {
    const answer = await request(`${it.url}/?delay=0&format=text`);

    return answer.status === 200 && answer.text.startsWith('Hello');
}

/* All of them are connected; what they weigh; and nothing stays of them. */
async function weigh(name, it, before, sockets) {
    check(`${name}: all are there`, await eventually(
        () => descriptors(it) >= before + sockets.length, PATIENCE_MS),
          descriptors(it));
    await sleep(1000);

    const most = status(it, 'VmHWM');

    note(`${name}: ${memory(it)} MB now, ${most} MB at most`);
    check(`${name}: memory`, most < MEMORY_MAX, most);
    sockets.forEach((socket) => socket.destroy());
    check(`${name}: no descriptor is left`, await eventually(
        () => descriptors(it) <= before + SANDBOXES, PATIENCE_MS),
          before, descriptors(it));
    await it.stop();
}

async function ten_thousand() {
    const it = await lambda(['--timeout', '900'], './bootstrap');
    const before = descriptors(it);
    const sockets = await open(it, 1, get('/?delay=900'));
    const waiting = [];

    while (waiting.length < 10000)
        waiting.push(...await open(it, 500, get('/')));
    await weigh('10,000 requests wait', it, before, [...sockets, ...waiting]);
}

async function slow() {
    const it = await lambda(['--concurrency', '10'], './bootstrap');
    const before = descriptors(it);
    const sockets = await open(it, 500, 'GET /?delay=0&format=text HTTP/1.1\r\n');
    const rest = 'Host: localhost\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n';
    const answers = sockets.map((socket) => {
        const answer = {text: ''};

        socket.setEncoding('latin1').on('data', (text) => answer.text += text);
        socket.resume();
        return answer;
    });
    const start = performance.now();

    for (const byte of rest) {
        sockets.forEach((socket) => socket.write(byte));
        await sleep(10);
    }
    check('others are served', await is_served(it));
    note(`a client among 500 slow ones: ${Math.round(performance.now() - start
        - rest.length * 10)} ms behind the last byte`);
    check('500 slow clients are answered', await eventually(() => answers.every(
        (a) => a.text.startsWith('HTTP/1.1 200')), PATIENCE_MS),
          answers.filter((a) => !a.text.startsWith('HTTP/1.1 200')).length);
    await weigh('500 slow clients', it, before, sockets);
}

async function silent() {
    const it = await lambda(['--concurrency', '101'], './bootstrap');
    const before = descriptors(it);
    const body = JSON.stringify({delay: 0, sentence: 'word '.repeat(60000)});
    const sockets = await open(
        it, 100, `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/` +
        `json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

    check('others are served', await is_served(it));
    await weigh('100 clients that never read', it, before, sockets);
}

const proc = existsSync('/proc/self/fd');

if (!proc)
    skip('measuring: no /proc here');
await run(...proc ? [rate, ten_thousand, slow, silent] : []);
