// The upstream of proxy.c's test: answers over TLS as the body of the request
// says, {"do":"stream","n":20,"ms":50}, and tells on standard output what it got.
//     node upstream.mjs KEY CERTIFICATE
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const token = (i) =>
    `data: {"token":${i},"at":${performance.timeOrigin + performance.now()}}\n\n`;

const work = {
    async stream({ n, ms }, answer) {
        answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
        for (let i = 1; i <= n; i++) {
            answer.write(token(i));
            if (i < n) await sleep(ms);
        }
        answer.end('data: [DONE]\n\n');
    },
    // Two tokens and half of the third, and then no end.
    async breaks(_, answer) {
        answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
        answer.write(token(1) + token(2));
        answer.write('data: {"tok', () => answer.socket.destroy());
    },
    async stalls(_, answer) {
        answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
        answer.write(token(1));
    },
    async silent() {},
    async head(_, answer) {
        answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
        answer.flushHeaders();
    },
    async hangs_up(_, answer) {
        answer.socket.destroy();
    },
    async refuses({ status }, answer) {
        answer.writeHead(status, { 'Content-Type': 'application/json' });
        answer.end('{"error":"secret of the upstream"}');
    },
    async empty(_, answer) {
        answer.writeHead(200).end();
    },
    async length(_, answer, bytes) {
        answer.writeHead(200).end(`data: ${bytes}\n\n`);
    },
};

const server = createServer({ key, cert }, async (request, answer) => {
    const pieces = [];

    for await (const piece of request) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    const { authorization = '', accept } = request.headers;

    console.log(`port ${request.socket.remotePort} ${request.method} ` +
        `${authorization} ${accept} ${request.headers['content-type']}`);
    try {
        const order = JSON.parse(text);
        await work[order.do](order, answer, text.length);
    } catch (error) {
        answer.writeHead(400).end(String(error));
    }
});

server.listen(0, '127.0.0.1', () =>
    console.log(`listening ${server.address().port}`));
