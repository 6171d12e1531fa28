/* Runtimes of others on the local Lambda, as they come: AWS's own for Node.js
 * and one of a shell and curl. */
import { existsSync } from 'node:fs';
import path from 'node:path';

import { BUILD, FOREVER, TOP, UNLIMITED, check, equal, eventually, lambda, note,
         request, run, skip } from './harness.mjs';

const LINES = 'line 1\nline 2\nline 3\nline 4\nline 5\n';
const RIC = path.join(BUILD, 'node_modules/aws-lambda-ric');
const STREAM = '/2021-11-15/functions/function/response-streaming-invocations';

/* The messages of an application/vnd.amazon.eventstream body: the type of the
 * event and its payload. The SDK's tests see to the checksums. */
function messages(answer) {
    const body = Buffer.concat(answer.pieces);
    const list = [];

    for (let at = 0, total; at < body.length; at += total) {
        const headers = body.readUInt32BE(at + 4);

        total = body.readUInt32BE(at);
        list.push({
            type: body.subarray(at + 12, at + 12 + headers).toString()
                .match(/InvokeComplete|PayloadChunk/)[0],
            payload: body.subarray(at + 12 + headers, at + total - 4)
                .toString()});
    }
    return list;
}

const payload = (list) => list.filter((m) => m.type === 'PayloadChunk')
    .map((m) => m.payload).join('');
const completion = (list) => JSON.parse(
    list.find((m) => m.type === 'InvokeComplete')?.payload ?? 'null');

/* The first line comes, while the second is ten minutes away. */
async function check_streamed(name, start) {
    const first = (text) => text.includes('line 1\n');
    const it = await start(...UNLIMITED, '--env', `PAUSE=${FOREVER}`,
                           '--concurrency', '2');
    const url = await request(it.url, {enough: first});
    const answer = await request(it.url + STREAM, {
        method: 'POST', body: '{}', enough: first});

    check(`${name}, Function URL: line by line`,
          first(url.text) && !url.text.includes('line 2'), url.text);
    check(`${name}, streaming invoke: line by line`,
          first(answer.text) && !answer.text.includes('line 2'), answer.text);
    await it.stop();
}

const start_shell = (...options) => lambda(options, 'sh',
                                           'test/clients/bootstrap.sh');
const start_node = (...options) => lambda(
    [...options, '--env', `LAMBDA_TASK_ROOT=${TOP}`], process.execPath,
    path.join(RIC, 'bin/index.mjs'), 'test/clients/stream.handler');

async function shell() {
    const it = await start_shell();
    const url = await request(`${it.url}/some/path?a=b`);
    const event = JSON.parse(url.text.slice(LINES.length));

    check('shell, Function URL: the lines', url.text.startsWith(LINES),
          url.text);
    equal('shell, Function URL: the event', [
        event.version, event.rawPath, event.queryStringParameters],
          ['2.0', '/some/path', {a: 'b'}]);
    equal('shell, Function URL: the head', [
        url.status, url.headers['content-type']], [200, 'text/plain']);

    const answer = await request(it.url + STREAM,
                                 {method: 'POST', body: '{"n":1}'});

    equal('shell, streaming invoke: the payload', payload(messages(answer)),
          `${LINES}{"n":1}`);
    equal('shell, streaming invoke: no error', completion(messages(answer)),
          {});
    await it.stop();
    await check_streamed('shell', start_shell);
}

async function node() {
    const it = await start_node();
    const url = await request(`${it.url}/some/path`);

    equal('aws-lambda-ric, Function URL: the head', [
        url.status, url.headers['content-type'], url.headers['x-path'],
        url.headers['set-cookie']],
          [201, 'text/plain', '/some/path', ['a=1', 'b=2; HttpOnly']]);
    equal('aws-lambda-ric, Function URL: the body', url.text, LINES);

    const invoke = async (event) => {
        const answer = await request(it.url + STREAM, {
            method: 'POST', body: JSON.stringify(event)});

        return {answer, list: messages(answer)};
    };
    let seen = await invoke({});

    equal('aws-lambda-ric, streaming invoke: the payload', payload(seen.list),
          LINES);
    equal('aws-lambda-ric, streaming invoke: no error', completion(seen.list),
          {});

    seen = await invoke({fail: 'middle'});

    let end = completion(seen.list);

    equal('aws-lambda-ric, mid-stream: what came before', payload(seen.list),
          LINES.slice(0, 21));
    check('aws-lambda-ric, mid-stream: ErrorCode', end?.ErrorCode, end);
    equal('aws-lambda-ric, mid-stream: ErrorDetails', [
        JSON.parse(end?.ErrorDetails ?? 'null')?.errorType,
        JSON.parse(end?.ErrorDetails ?? 'null')?.errorMessage],
          ['RangeError', 'in mid-stream']);
    note(`aws-lambda-ric, mid-stream: ${end?.ErrorCode}`);

    seen = await invoke({fail: 'first'});
    end = completion(seen.list);
    equal('aws-lambda-ric, first byte: no payload', payload(seen.list), '');
    check('aws-lambda-ric, first byte: ErrorDetails', /before the first byte/
        .test(end?.ErrorDetails), end);
    check('aws-lambda-ric: one process for all of it', await eventually(
        () => it.log.match(/^REPORT /gm)?.length === 4) &&
          it.log.match(/Init Duration/g)?.length === 1, it.log);
    await it.stop();
    await check_streamed('aws-lambda-ric', start_node);
}

const built = existsSync(path.join(RIC, 'dist/rapid-client.node'));

if (!built)
    skip('aws-lambda-ric: its native part is not built');
await run(shell, ...built ? [node] : []);
