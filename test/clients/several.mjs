/* AWS's own runtime for Node.js, version 4, with several streams at once in one
 * environment: several.mjs NODE, a node of version 22 or newer. */
import path from 'node:path';

import { BUILD, TOP, check, equal, eventually, lambda, note, request, run }
    from './harness.mjs';

const LINES = 'line 1\nline 2\nline 3\nline 4\nline 5\n';
const RIC = path.join(BUILD, 'node22/node_modules/aws-lambda-ric/index.mjs');
const STREAMS = 4;
const node = path.resolve(process.argv[2]);

/* It takes several events at once; the streams of one of its threads it sends
 * one after the other. */
async function several() {
    const it = await lambda(['--max-concurrency', `${STREAMS}`, '--timeout',
                             '900', '--env', `LAMBDA_TASK_ROOT=${TOP}`, '--env',
                             '_HANDLER=test/clients/stream.handler'],
                            node, RIC);
    const start = performance.now();
    const answers = await Promise.all(Array.from(
        {length: STREAMS}, (_, n) => request(`${it.url}/stream/${n}`)));

    answers.forEach((a, n) => {
        equal(`stream ${n}: the body`, a.text, LINES);
        equal(`stream ${n}: its own event`, a.headers['x-path'],
              `/stream/${n}`);
    });
    check('a second event was taken before the first was over',
          /^START [^]*?^START [^]*?^END /m.test(it.log), it.log);
    check('one environment for all of it', await eventually(
        () => it.log.match(/^REPORT /gm)?.length === STREAMS) &&
          it.log.match(/Init Duration/g)?.length === 1, it.log);
    note(`${STREAMS} streams in ${Math.round(performance.now() - start)} ms`);
    await it.stop();
}

await run(several);
