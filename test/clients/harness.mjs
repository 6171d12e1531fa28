/* What the tests of the clients share: the local Lambda, checks, time.
 *
 * Run from the top of the tree. Times are compared with wide margins: the
 * question is whether bytes come while the response is still being made. */
import { spawn } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const TOP = fileURLToPath(new URL('../..', import.meta.url));
/* LAMBDA names another build of it, to see what the tests say. */
const LAMBDA = path.resolve(TOP, process.env.LAMBDA ?? 'build/lambda');
/* Far above what any of these tests takes. */
const LIMIT_MS = 120000;

export const BUILD = path.join(TOP, 'build/clients');
export const WORDS =
    'Hello this is a streaming Lambda function response'.split(' ');

/* Packages are installed under build/, not beside the tests. */
export const load = createRequire(path.join(BUILD, 'package.json'));

let passed = 0, failed = 0, skipped = 0;

export function check(name, right, ...seen) {
    if (right) {
        passed++;
        return;
    }
    failed++;
    console.log(`FAIL ${name}`);
    for (const value of seen)
        console.log('    seen:', typeof value === 'string'
                    ? value : JSON.stringify(value));
}

export function equal(name, seen, expected) {
    const [a, b] = [JSON.stringify(seen), JSON.stringify(expected)];

    check(name, a === b, a, `instead of ${b}`);
}

/* A figure for whoever reads the log. */
export const note = (text) => console.log(`    ${text}`);

export function skip(why) {
    console.log(`skipped: ${why}`);
    skipped++;
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/* Polls until the test holds; whether it did before the time was up. */
export async function eventually(test, limit_ms = 5000) {
    for (const end = Date.now() + limit_ms; ;) {
        if (await test())
            return true;
        if (Date.now() > end)
            return false;
        await sleep(20);
    }
}

/* Starts the local Lambda for a bootstrap; its ports are free ones. */
export async function lambda(options, ...bootstrap) {
    const child = spawn(LAMBDA, ['--port', '0', '--runtime-api', '127.0.0.1:0',
                                 ...options, '--', ...bootstrap],
                        {cwd: TOP, stdio: ['ignore', 'ignore', 'pipe']});
    const it = {log: '', pid: child.pid, url: null};
    const gone = new Promise((done) => child.once('close', done));

    process.once('exit', () => child.kill());
    child.stderr.setEncoding('utf8').on('data', (text) => it.log += text);
    it.stop = async () => {
        const start = Date.now();

        child.kill('SIGTERM');
        await gone;
        return Date.now() - start;
    };
    it.running = () => child.exitCode === null && child.signalCode === null;
    if (!await eventually(() => /listening on \S+/.test(it.log)))
        throw new Error(`build/lambda does not listen: ${it.log}`);
    it.url = it.log.match(/listening on ([^\s,]+)/)[1];
    return it;
}

/* A request whose body is followed as it comes: status, headers, the pieces
 * with the time of arrival in ms from the start. */
export function request(url, {method = 'GET', body, headers, agent} = {}) {
    return new Promise((done, fail) => {
        const start = performance.now();
        const pieces = [];
        const r = http.request(url, {method, headers, agent}, (answer) => {
            answer.on('data', (bytes) => pieces.push(
                {bytes, at: performance.now() - start}));
            answer.on('error', fail);
            answer.on('end', () => done({
                status: answer.statusCode, headers: answer.headers, pieces,
                text: Buffer.concat(pieces.map((p) => p.bytes)).toString()}));
        });

        r.on('error', fail);
        r.end(body);
    });
}

/* Each test is a function; one that throws has failed, the rest still run. */
export async function run(...tests) {
    setTimeout(() => {
        console.log(`FAIL not done after ${LIMIT_MS / 1000} s`);
        process.exit(1);
    }, LIMIT_MS).unref();
    for (const test of tests) {
        try {
            await test();
        } catch (error) {
            check(`${test.name}: ${error?.stack ?? error}`, false);
        }
    }
    console.log(`${passed} passed, ${failed} failed` +
                (skipped ? `, ${skipped} skipped` : ''));
    process.exit(failed ? 1 : 0);
}
