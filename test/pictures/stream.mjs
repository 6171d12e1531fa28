// When each byte of one response reaches its client, streamed and buffered:
//
//     node stream.mjs LAMBDA BOOTSTRAP >stream.svg
//
// The same word streamer answers in the local Lambda, once through its Function
// URL, which streams, and once through Invoke, which collects. What is drawn is
// what this client measured.
import { spawn } from 'node:child_process';
import http from 'node:http';

const [lambda, bootstrap] = process.argv.slice(2);
const words = 'Each word leaves when it is ready and not when the last one is'.split(' ');
const delay = 0.25;

function serve() {
    return new Promise((resolve, reject) => {
        const child = spawn(lambda, ['--port', '0', '--runtime-api', '127.0.0.1:0',
            '--', bootstrap]);
        let said = '';
        const look = data => {
            said += data;
            const port = /listening on http:\/\/[^:]*:(\d+)/.exec(said);
            if (port) resolve({ child, port: port[1] });
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.on('exit', () => reject(new Error(said)));
    });
}

// The chunks of a response: when, in seconds, and how many bytes.
function measure(port, path) {
    const event = JSON.stringify({ format: 'text', delay, sentence: words.join(' ') });
    return new Promise((resolve, reject) => {
        const begun = performance.now();
        http.request({ port, path, method: 'POST' }, response => {
            const chunks = [];
            response.on('data', data => chunks.push(
                { at: (performance.now() - begun) / 1000, text: String(data).trim() }));
            response.on('end', () => resolve(chunks.filter(chunk => chunk.text)));
        }).on('error', reject).end(event);
    });
}

const { child, port } = await serve();
const buffered = '/2015-03-31/functions/function/invocations';
await measure(port, '/'); // the first starts the process
const rows = [['streamed', await measure(port, '/')], ['buffered', await measure(port, buffered)]];
child.removeAllListeners('exit');
child.kill();

const end = Math.max(...rows.flatMap(([, chunks]) => chunks.map(chunk => chunk.at)));
const left = 92, width = 600, x = at => (left + at / end * width).toFixed(1);
const escape = text => text.replace(/[&<>]/g, c => `&#${c.charCodeAt(0)};`);

const lines = [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 190" role="img" font-family="system-ui, sans-serif" font-size="13">',
    '<title>When each word of one response reached its client</title>',
    `<desc>Streamed, the first word arrived after ${rows[0][1][0].at.toFixed(3)} s and the last after ${rows[0][1].at(-1).at.toFixed(2)} s. Buffered, all arrived after ${rows[1][1][0].at.toFixed(2)} s.</desc>`,
    '<style>svg{background:#fff;color:#1b1f24}text{fill:currentColor}.axis{stroke:#8a929b}.streamed{fill:#0b6e4f}.buffered{fill:#a34700}.quiet{fill:#57606a}',
    '@media(prefers-color-scheme:dark){svg{background:#15181b;color:#e6e9ec}.axis{stroke:#6b747d}.streamed{fill:#4cc38a}.buffered{fill:#f0a060}.quiet{fill:#a5adb5}}</style>',
];
rows.forEach(([name, chunks], row) => {
    const y = 40 + row * 62;
    lines.push(`<text x="12" y="${y + 5}" class="${name}" font-weight="600">${name}</text>`);
    lines.push(`<line class="axis" x1="${left}" x2="${left + width}" y1="${y}" y2="${y}"/>`);
    chunks.forEach((chunk, n) => {
        const many = chunk.text.split(' ').length;
        const label = many > 1 ? `all ${many} words` : chunk.text;
        const anchor = chunk.at > end * 0.9 ? 'end' : 'start';
        lines.push(`<circle class="${name}" cx="${x(chunk.at)}" cy="${y}" r="${many > 1 ? 9 : 5}"/>`);
        lines.push(`<text x="${x(chunk.at)}" y="${y + (n % 2 ? 24 : -12)}" text-anchor="${anchor}" font-size="12">${escape(label)}</text>`);
    });
});
lines.push(`<g class="quiet" font-size="12">`);
for (let s = 0; s <= end; s++)
    lines.push(`<text class="quiet" x="${x(s)}" y="158" text-anchor="middle">${s} s</text>`);
lines.push(`<text class="quiet" x="12" y="180">first byte: ${(rows[0][1][0].at * 1000).toFixed(1)} ms streamed, ${(rows[1][1][0].at * 1000).toFixed(0)} ms buffered (make picture)</text>`, '</g>', '</svg>');
console.log(lines.join('\n'));
