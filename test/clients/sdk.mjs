/* The official AWS SDK for JavaScript as a client of the local Lambda. */
import { spawnSync } from 'node:child_process';

import { check, equal, eventually, FOREVER, lambda, load, note, progress, run,
         skip, UNLIMITED, WORDS } from './harness.mjs';

const {GetFunctionCommand, InvokeCommand, InvokeWithResponseStreamCommand,
       LambdaClient, ListFunctionsCommand} = load('@aws-sdk/client-lambda');

function client(it) {
    return new LambdaClient({
        endpoint: it.url, region: 'us-east-1', maxAttempts: 1,
        credentials: {accessKeyId: 'none', secretAccessKey: 'none'}});
}

/* What came of a streaming invocation: its chunks, as many as are wanted, and
 * how it ended. */
async function stream(it, event, most = Infinity) {
    const answer = await client(it).send(new InvokeWithResponseStreamCommand(
        {FunctionName: 'function', Payload: JSON.stringify(event)}));
    const seen = {chunks: [], ends: [], status: answer.StatusCode};

    for await (const e of answer.EventStream) {
        progress();
        if (e.PayloadChunk)
            seen.chunks.push(Buffer.from(e.PayloadChunk.Payload));
        else
            seen.ends.push(e.InvokeComplete);
        if (seen.chunks.length === most)
            break;
    }
    seen.texts = seen.chunks.map((c) => c.toString());
    seen.text = Buffer.concat(seen.chunks).toString();
    return seen;
}

async function invoke(it, event, more = {}) {
    const answer = await client(it).send(new InvokeCommand(
        {FunctionName: 'function', Payload: event, ...more}));

    return {status: answer.StatusCode, error: answer.FunctionError,
            text: Buffer.from(answer.Payload ?? []).toString()};
}

async function words_one_by_one() {
    const it = await lambda(UNLIMITED, './bootstrap');
    let seen = await stream(it, {delay: 0.05, format: 'text'});

    equal('text: the status', seen.status, 200);
    equal('text: every chunk as it was sent', seen.texts,
          [WORDS[0], ...WORDS.slice(1).map((w) => ` ${w}`), '\n']);
    equal('text: one end, no error', seen.ends, [{}]);
    seen = await stream(it, {delay: FOREVER, format: 'text'}, 1);
    equal('text: the first word before the second is due', seen.texts,
          [WORDS[0]]);
    await it.stop();
}

async function no_chunk_waits() {
    const it = await lambda(UNLIMITED, './bootstrap');
    const name = (text) => JSON.parse(text).data ?? JSON.parse(text).status;
    let seen = await stream(it, {delay: 0.05});

    equal('lines: one a chunk', seen.texts.map(name),
          ['start', ...WORDS, 'complete']);
    equal('lines: one end, no error', seen.ends, [{}]);
    seen = await stream(it, {delay: FOREVER}, 2);
    equal('lines: the first two before the third is due', seen.texts.map(name),
          ['start', WORDS[0]]);
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

/* The second word would come after the deadline. */
async function error_in_mid_stream() {
    const it = await lambda(['--timeout', `${FOREVER}`], './bootstrap');
    const seen = await stream(it, {delay: FOREVER, format: 'text'});
    const end = seen.ends[0] ?? {};

    equal('mid-stream: what came before', seen.text, `${WORDS[0]}\n`);
    equal('mid-stream: one end', seen.ends.length, 1);
    equal('mid-stream: ErrorCode', end.ErrorCode, 'Function.DeadlineExceeded');
    equal('mid-stream: ErrorDetails', JSON.parse(end.ErrorDetails ?? 'null'), {
        errorMessage: 'the deadline came before the last word',
        errorType: 'Function.DeadlineExceeded', stackTrace: []});
    equal('after an error: the next', (await stream(
        it, {delay: 0, format: 'text'})).text, `${WORDS.join(' ')}\n`);
    await it.stop();
}

/* The runtime does not see to its deadline: it is killed. A machine on which the
 * first line does not come in time gets twice the time. */
async function timeout_in_mid_stream() {
    if (spawnSync('curl', ['--version']).error)
        return skip('the time-out of a runtime made of curl: no curl here');

    let seen = {text: ''};

    for (let seconds = 1.5; seen.text === '' && seconds < 60; seconds *= 2) {
        const it = await lambda(['--timeout', `${seconds}`, '--env',
                                 `PAUSE=${FOREVER}`],
                                'sh', 'test/clients/bootstrap.sh');

        seen = await stream(it, {});
        await it.stop();
    }
    equal('time-out: what came before', seen.text, 'line 1\n');
    equal('time-out: ErrorCode', seen.ends.map((e) => e.ErrorCode),
          ['Sandbox.Timedout']);
    check('time-out: ErrorDetails', /timed out/i.test(
        seen.ends[0]?.ErrorDetails), seen.ends);
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
    const it = await lambda(UNLIMITED, './bootstrap');
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

    seen = await invoke(it, '{"delay":0}', {InvocationType: 'Event'});
    equal('Event: accepted', seen, {status: 202, text: ''});
    check('Event: invoked all the same', await eventually(
        () => it.log.match(/^REPORT /gm)?.length === 3), it.log);
    seen = await invoke(it, `{"delay":${FOREVER}}`, {InvocationType: 'Event'});
    equal('Event: accepted before it is done', seen, {status: 202, text: ''});
    await it.stop();
}

/* What a call is refused with. */
async function refusal(it, command) {
    try {
        return await client(it).send(command);
    } catch (error) {
        return {name: error.name, status: error.$metadata?.httpStatusCode,
                id: Boolean(error.$metadata?.requestId), reason: error.Reason};
    }
}

async function the_service() {
    const it = await lambda(['--function-name', 'g'], './bootstrap');
    const answer = await client(it).send(new InvokeCommand({
        FunctionName: 'g', Qualifier: '7', LogType: 'Tail',
        Payload: '{"delay":0}'}));
    const log = Buffer.from(answer.LogResult ?? '', 'base64').toString();

    check('LogResult', /^START .*\n[^]*^END .*\nREPORT .*\t/m.test(log), log);
    equal('ExecutedVersion', answer.ExecutedVersion, '7');
    equal('GetFunction', (await client(it).send(new GetFunctionCommand(
        {FunctionName: 'g'}))).Configuration.State, 'Active');
    equal('ListFunctions', (await client(it).send(new ListFunctionsCommand(
        {}))).Functions.map((f) => f.FunctionName), ['g']);
    equal('another name', await refusal(it, new InvokeCommand(
        {FunctionName: 'f'})), {name: 'ResourceNotFoundException', status: 404,
                                id: true});
    equal('two qualifiers', (await refusal(it, new InvokeCommand(
        {FunctionName: 'g:a', Qualifier: 'b'}))).name,
          'InvalidParameterValueException');
    await it.stop();
}

await run(words_one_by_one, no_chunk_waits, many_bytes, error_in_mid_stream,
          timeout_in_mid_stream, error_before_the_first_byte, buffered,
          the_service);
