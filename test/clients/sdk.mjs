/* The official AWS SDK for JavaScript as a client of the local Lambda. */
import { spawnSync } from 'node:child_process';

import { check, equal, eventually, lambda, load, note, run, skip, WORDS }
    from './harness.mjs';

const {InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient} =
    load('@aws-sdk/client-lambda');

/* Margins in ms: of a chunk's way from the handler's clock to ours, and of
 * what lies between the first chunk and the last of a stream of 2 s. */
const LAG = 700, SPREAD = 1000;

function client(it) {
    return new LambdaClient({
        endpoint: it.url, region: 'us-east-1', maxAttempts: 1,
        credentials: {accessKeyId: 'none', secretAccessKey: 'none'}});
}

/* What came of a streaming invocation: its chunks, each with the time of its
 * arrival, and how it ended. */
async function stream(it, event) {
    const answer = await client(it).send(new InvokeWithResponseStreamCommand(
        {FunctionName: 'function', Payload: JSON.stringify(event)}));
    const seen = {chunks: [], ends: [], status: answer.StatusCode};

    for await (const e of answer.EventStream) {
        if (e.PayloadChunk)
            seen.chunks.push({at: Date.now(),
                              bytes: Buffer.from(e.PayloadChunk.Payload)});
        else
            seen.ends.push(e.InvokeComplete);
    }
    seen.chunks.forEach((c) => c.text = c.bytes.toString());
    seen.text = Buffer.concat(seen.chunks.map((c) => c.bytes)).toString();
    return seen;
}

const times = (chunks) => chunks.map((c) => c.at - chunks[0].at);
const spread = (chunks) => (chunks.at(-1)?.at ?? 0) - (chunks[0]?.at ?? 0);

async function invoke(it, event, more = {}) {
    const answer = await client(it).send(new InvokeCommand(
        {FunctionName: 'function', Payload: event, ...more}));

    return {status: answer.StatusCode, error: answer.FunctionError,
            text: Buffer.from(answer.Payload ?? []).toString()};
}

async function words_one_by_one() {
    const it = await lambda([], './bootstrap');
    const seen = await stream(it, {delay: 0.25, format: 'text'});
    const {chunks} = seen;

    equal('text: the status', seen.status, 200);
    equal('text: every chunk as it was sent', chunks.map((c) => c.text),
          [WORDS[0], ...WORDS.slice(1).map((w) => ` ${w}`), '\n']);
    check('text: the first long before the last', spread(chunks) >= SPREAD,
          times(chunks));
    check('text: one after the other', times(chunks).filter(
        (at, i, all) => at - all[i - 1] >= 50).length >= 4, times(chunks));
    equal('text: one end, no error', seen.ends, [{}]);
    note(`text: ${chunks.length} chunks in ${spread(chunks)} ms`);
    await it.stop();
}

/* Each line says when it was sent. */
async function no_chunk_waits() {
    const it = await lambda([], './bootstrap');
    const seen = await stream(it, {delay: 0.25});
    const lines = seen.chunks.map((c) => JSON.parse(c.text));
    const lags = seen.chunks.map(
        (c, i) => Math.round(c.at - lines[i].timestamp * 1000));

    equal('lines: one a chunk', lines.map((l) => l.data ?? l.status),
          ['start', ...WORDS, 'complete']);
    check('lines: each arrives when it was sent',
          lags.every((lag) => lag > -50 && lag < LAG), lags);
    check('lines: the first long before the last',
          spread(seen.chunks) >= SPREAD, times(seen.chunks));
    equal('lines: one end, no error', seen.ends, [{}]);
    note(`lines: at most ${Math.max(...lags)} ms on their way`);
    await it.stop();
}

async function many_bytes() {
    const it = await lambda([], './bootstrap');
    const sentence = Array.from(
        {length: 20000}, (_, i) => `${i}`.padEnd(50, 'é')).join(' ');
    const seen = await stream(it, {delay: 0, format: 'text', sentence});

    check('1.9 MB: every byte', seen.text === `${sentence}\n`,
          seen.text.length, sentence.length + 1);
    check('1.9 MB: many chunks', seen.chunks.length > 1000,
          seen.chunks.length);
    equal('1.9 MB: one end, no error', seen.ends, [{}]);
    note(`1.9 MB: ${Buffer.byteLength(seen.text)} bytes in ` +
         `${seen.chunks.length} chunks`);
    await it.stop();
}

/* With 2 s to go there is time for the words at 0, 0.5, 1 and 1.5 s. */
async function error_in_mid_stream() {
    const it = await lambda(['--timeout', '2'], './bootstrap');
    const seen = await stream(it, {delay: 0.5, format: 'text'});
    const end = seen.ends[0] ?? {};

    equal('mid-stream: what came before', seen.text,
          `${WORDS.slice(0, 4).join(' ')}\n`);
    check('mid-stream: as it was sent', spread(seen.chunks) >= SPREAD,
          times(seen.chunks));
    equal('mid-stream: one end', seen.ends.length, 1);
    equal('mid-stream: ErrorCode', end.ErrorCode, 'Function.DeadlineExceeded');
    equal('mid-stream: ErrorDetails', JSON.parse(end.ErrorDetails ?? 'null'), {
        errorMessage: 'the deadline came before the last word',
        errorType: 'Function.DeadlineExceeded', stackTrace: []});
    equal('after an error: the next', (await stream(
        it, {delay: 0, format: 'text'})).text, `${WORDS.join(' ')}\n`);
    await it.stop();
}

/* The runtime does not see to its deadline: it is killed, and started anew. */
async function timeout_in_mid_stream() {
    if (spawnSync('curl', ['--version']).error)
        return skip('the time-out of a runtime made of curl: no curl here');

    const it = await lambda(['--timeout', '1.2'], 'sh',
                            'test/clients/bootstrap.sh');
    const seen = await stream(it, {});

    check('time-out: some of it came', /^line 1\n/.test(seen.text), seen.text);
    check('time-out: not all of it', !/line 5/.test(seen.text), seen.text);
    equal('time-out: ErrorCode', seen.ends.map((e) => e.ErrorCode),
          ['Sandbox.Timedout']);
    check('time-out: ErrorDetails', /timed out/i.test(
        seen.ends[0]?.ErrorDetails), seen.ends);
    await it.stop();
}

async function error_before_the_first_byte() {
    const it = await lambda([], './bootstrap');
    const seen = await stream(it, {delay: 'soon'});
    const end = seen.ends[0] ?? {};

    equal('first byte: no chunk', seen.chunks.length, 0);
    equal('first byte: one end', seen.ends.length, 1);
    equal('first byte: ErrorCode', end.ErrorCode, 'Function.InvalidEvent');
    equal('first byte: ErrorDetails',
          JSON.parse(end.ErrorDetails ?? 'null')?.errorMessage,
          'delay must be a number from 0 to 900');
    await it.stop();
}

async function buffered() {
    const it = await lambda([], './bootstrap');
    const event = JSON.stringify({delay: 0.1, format: 'text'});
    let seen = await invoke(it, event);

    equal('Invoke: the payload', seen,
          {status: 200, text: `${WORDS.join(' ')}\n`});
    seen = await invoke(it, '{"delay":-1}');
    equal('Invoke: an error: status and FunctionError',
          [seen.status, seen.error], [200, 'Unhandled']);
    equal('Invoke: an error: the payload', JSON.parse(seen.text), {
        errorMessage: 'delay must be a number from 0 to 900',
        errorType: 'Function.InvalidEvent', stackTrace: []});

    const start = Date.now();

    seen = await invoke(it, '{"delay":0.2}', {InvocationType: 'Event'});
    equal('Event: accepted', seen, {status: 202, text: ''});
    check('Event: at once', Date.now() - start < 1000, Date.now() - start);
    check('Event: invoked all the same', await eventually(
        () => it.log.match(/^REPORT /gm)?.length === 3), it.log);
    await it.stop();
}

await run(words_one_by_one, no_chunk_waits, many_bytes, error_in_mid_stream,
          timeout_in_mid_stream, error_before_the_first_byte, buffered);
