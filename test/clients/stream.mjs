/* A streaming handler for AWS's own runtime for Node.js. */
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/* An HTTP response where the event is of the Function URL, else plain text;
 * `fail` is where to throw. */
export const handler = awslambda.streamifyResponse(async (event, out) => {
    const http = event.requestContext !== undefined;
    const fail = http ? event.queryStringParameters?.fail : event.fail;

    if (fail === 'first')
        throw new RangeError('before the first byte');
    if (http)
        out = awslambda.HttpResponseStream.from(out, {
            statusCode: 201, headers: {'Content-Type': 'text/plain',
                                       'X-Path': event.rawPath},
            cookies: ['a=1', 'b=2; HttpOnly']});
    else
        out.setContentType('text/plain');
    for (let n = 1; n <= 5; n++) {
        out.write(`line ${n}\n`);
        await sleep(1000 * (process.env.PAUSE ?? 0.1));
        if (n === 3 && fail === 'middle')
            throw new RangeError('in mid-stream');
    }
    out.end();
});
