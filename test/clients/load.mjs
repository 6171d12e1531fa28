/* 1,000 clients of the Function URL at once on 100 sandboxes: all complete,
 * and neither a descriptor nor memory is left behind. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';

import { check, equal, eventually, lambda, note, request, run, skip, sleep }
    from './harness.mjs';

const CLIENTS = 1000, SANDBOXES = 100, ROUNDS = 5;
/* What the allocator may keep between the rounds, in KiB. */
const GROWTH_MAX = 4096;

const descriptors = (it) => readdirSync(`/proc/${it.pid}/fd`).length;
const memory = (it) => +readFileSync(`/proc/${it.pid}/status`, 'utf8')
    .match(/^VmRSS:\s*(\d+)/m)[1];
const sandboxes = (it) => readFileSync(
    `/proc/${it.pid}/task/${it.pid}/children`, 'utf8').trim().split(' ').length;

/* One client; each has a sentence of its own. Whether all of it was right. */
async function visit(it, round, n) {
    const sentence = `round ${round} client ${n} says ${'x'.repeat(n + 1)}`;
    const answer = await request(it.url, {
        method: 'POST', agent: false,
        headers: {'Content-Type': 'application/json', Connection: 'close'},
        body: JSON.stringify({delay: 0.02, format: 'text', sentence})});

    return answer.status === 200 && answer.text === `${sentence}\n`;
}

async function everybody(it, round) {
    const start = Date.now();
    const all = await Promise.allSettled(
        Array.from({length: CLIENTS}, (_, n) => visit(it, round, n)));
    const right = all.filter((r) => r.value === true).length;

    equal(`round ${round}: clients served`, right, CLIENTS);
    if (right < CLIENTS)
        note(all.find((r) => r.reason)?.reason?.message ?? 'wrong bodies');
    return Date.now() - start;
}

/* Leaves while the words are still coming. */
function leave(it) {
    return new Promise((done) => {
        const r = http.get(`${it.url}/?delay=0.05&format=text`, {agent: false},
                           (answer) => answer.once('data', () => {
                               answer.destroy();
                               done(true);
                           }));

        r.on('error', () => done(false));
    });
}

async function a_thousand() {
    const it = await lambda(['--concurrency', `${SANDBOXES}`], './bootstrap');
    const idle = descriptors(it);

    await everybody(it, 0);
    equal('as many sandboxes as allowed', sandboxes(it), SANDBOXES);
    await sleep(500); /* while what is closed goes away */

    const before = {descriptors: descriptors(it), memory: memory(it)};

    for (let round = 1; round <= ROUNDS; round++) {
        const ms = await everybody(it, round);

        note(`round ${round}: ${CLIENTS} clients in ${ms} ms, ` +
             `VmRSS ${memory(it)} KiB`);
    }
    check('no descriptor left', await eventually(
        () => descriptors(it) <= before.descriptors),
          before.descriptors, descriptors(it));
    note(`descriptors: ${idle} at the start, ${before.descriptors} with ` +
         `${SANDBOXES} sandboxes, ${descriptors(it)} at the end`);

    const left = await Promise.all(
        Array.from({length: 200}, () => leave(it)));

    equal('clients that left in mid-stream', left.filter(Boolean).length, 200);
    check('no descriptor left by them', await eventually(
        () => descriptors(it) <= before.descriptors),
          before.descriptors, descriptors(it));
    await everybody(it, ROUNDS + 1);
    equal('still as many sandboxes', sandboxes(it), SANDBOXES);
    check('memory is flat', memory(it) - before.memory < GROWTH_MAX,
          before.memory, memory(it));
    note(`VmRSS: ${before.memory} KiB after the first round, ${memory(it)} ` +
         `at the end`);

    await it.stop();
    check('it ends', !it.running());
}

const proc = existsSync('/proc/self/fd');

if (!proc)
    skip('the load test: no /proc here');
await run(...proc ? [a_thousand] : []);
