/* What the tests of the clients share: the local Lambda, checks, time.
 *
 * Run from the top of the tree. No verdict depends on how fast the machine is:
 * that bytes come while the response is still being made is seen by a response
 * that would go on for ten minutes. */
import { spawn } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const TOP = fileURLToPath(new URL('../..', import.meta.url));
/* LAMBDA names another build of it, to see what the tests say. */
const LAMBDA = path.resolve(TOP, process.env.LAMBDA ?? 'build/lambda');
/* So long without a byte or a check: it hangs. */
const LIMIT_MS = 120000;

export const BUILD = path.join(TOP, 'build/clients');
export const WORDS =
    'Hello this is a streaming Lambda function response'.split(' ');

/* Packages are installed under build/, not beside the tests. */
export const load = createRequire(path.join(BUILD, 'package.json'));

/* A pause, in seconds, that no test waits for, and a time-out above it. */
export const FOREVER = 600, UNLIMITED = ['--timeout', '900'];

let passed = 0, failed = 0, skipped = 0, moved = Date.now();

export const progress = () => moved = Date.now();

export function check(name, right, ...seen) {
    progress();
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

/* Polls until the test holds; false when it does not for a minute. */
export async function eventually(test) {
    for (const end = Date.now() + 60000; ;) {
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
    child.stderr.setEncoding('utf8').on('data', (text) => {
        progress();
        it.log += text;
    });
    it.stop = async () => {
        child.kill('SIGTERM');
        await gone;
    };
    it.running = () => child.exitCode === null && child.signalCode === null;
    if (!await eventually(() => /listening on \S+/.test(it.log)))
        throw new Error(`build/lambda does not listen: ${it.log}`);
    it.url = it.log.match(/listening on ([^\s,]+)/)[1];
    return it;
}

/* A request whose body is followed as it comes, to its end or until `enough` of
 * its text is there: status, headers, the pieces. */
export function request(url, {method = 'GET', body, headers, agent,
                              enough = () => false} = {}) {
    return new Promise((done, fail) => {
        const pieces = [];
        const r = http.request(url, {method, headers, agent}, (answer) => {
            const finish = () => done({
                status: answer.statusCode, headers: answer.headers, pieces,
                text: Buffer.concat(pieces).toString()});

            answer.on('data', (bytes) => {
                progress();
                pieces.push(bytes);
                if (!enough(Buffer.concat(pieces).toString()))
                    return;
                finish();
                answer.destroy();
            });
            answer.on('error', fail);
            answer.on('end', finish);
        });

        r.on('error', fail);
        r.end(body);
    });
}

/* Each test is a function; one that throws has failed, the rest still run. */
export async function run(...tests) {
    setInterval(() => {
        if (Date.now() - moved < LIMIT_MS)
            return;
        console.log(`FAIL hangs: nothing for ${LIMIT_MS / 1000} s`);
        process.exit(1);
    }, 1000).unref();
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
