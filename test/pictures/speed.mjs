// What the runtime costs beside the least possible, and what it weighs beside
// others:
//
//     node speed.mjs TABLE ZIP HELLO-ZIP >speed.svg
//
// TABLE is a file with the table that `make bench` printed. The zips are the
// product's; those of others are as their authors published them.
import fs from 'node:fs';

const [table, ...zips] = process.argv.slice(2);
const page = fs.readFileSync(table, 'utf8');
const kB = bytes => bytes < 1e6 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

// Rows of the table: their name there, and here.
const costs = [
    ['cold start: exec to the first request', 'cold start'],
    ['hello, one chunk: an invocation', 'an invocation of one chunk'],
    ['each message more', 'each chunk more'],
    ['1,000 words, each: CPU (floor reads the clock once a word)', 'each word: CPU'],
].map(([row, name]) => {
    const found = page.split('\n').find(line => line.startsWith(`| ${row} |`));
    if (!found) throw new Error(`${table}: no row "${row}"`);
    const [, , product, floor] = found.split('|').map(cell => cell.trim());
    const [a, b] = [product, floor].map(parseFloat);
    return { name, share: a / b, said: `${product} (${floor})` };
});

// https://github.com/paiml/ruchy-lambda, README at 20bbbca, "Package Size" of a
// handler that says "ok".
const published = [['C++, AWS SDK', 50e3], ['Ruchy', 174e3], ['Rust, tokio', 250e3], ['Go', 1.5e6]];
const weights = [
    ['rawstream, hello', fs.statSync(zips[1]).size, true],
    ['rawstream, words', fs.statSync(zips[0]).size, true],
    ...published,
];

const left = 200, width = 360;
const lines = [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 370" role="img" font-family="system-ui, sans-serif" font-size="13">',
    '<title>Time beside the least possible, and size beside other runtimes</title>',
    `<desc>${costs.map(c => `${c.name}: ${c.said}`).join('; ')}. ${weights.map(([name, bytes]) => `${name}: ${kB(bytes)}`).join('; ')}.</desc>`,
    '<style>svg{background:#fff;color:#1b1f24}text{fill:currentColor}.ours{fill:#0b6e4f}.others{fill:#8a929b}.floor{stroke:#a34700;stroke-width:2}.quiet{fill:#57606a;font-size:12px}',
    '@media(prefers-color-scheme:dark){svg{background:#15181b;color:#e6e9ec}.ours{fill:#4cc38a}.others{fill:#6b747d}.floor{stroke:#f0a060}.quiet{fill:#a5adb5}}</style>',
];
function bar(y, name, length, ours, said) {
    lines.push(`<text x="12" y="${y + 13}">${name}</text>`,
        `<rect class="${ours ? 'ours' : 'others'}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="16"/>`,
        `<text x="${(left + length + 8).toFixed(1)}" y="${y + 13}">${said}</text>`);
}
lines.push('<text x="12" y="22" font-weight="600">Time: the line, and in brackets, is the least possible (make bench)</text>');
const scale = width / 1.25;
costs.forEach((c, n) => bar(36 + n * 26, c.name, c.share * scale, true, c.said));
lines.push(`<line class="floor" x1="${left + scale}" x2="${left + scale}" y1="30" y2="${36 + costs.length * 26}"/>`);
const from = 36 + costs.length * 26 + 34;
lines.push(`<text x="12" y="${from}" font-weight="600">The zip that is deployed</text>`);
weights.forEach(([name, bytes, ours], n) => bar(from + 12 + n * 26, name,
    bytes / 1.5e6 * width, ours, kB(bytes)));
lines.push(`<text class="quiet" x="12" y="${from + 12 + weights.length * 26 + 18}">grey: as published by github.com/paiml/ruchy-lambda (20bbbca), not measured here</text>`, '</svg>');
console.log(lines.join('\n'));
