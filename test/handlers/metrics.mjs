// Checks lines of standard input against the rules of the schema that AWS
// publishes for the embedded metric format ("Specification: Embedded metric
// format" in the CloudWatch User Guide). Prints what is wrong.
import { readFileSync } from 'node:fs';

const units = new Set(['Seconds', 'Microseconds', 'Milliseconds', 'Percent', 'Count',
    'Count/Second', 'None']);
for (const size of ['Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes',
    'Bits', 'Kilobits', 'Megabits', 'Gigabits', 'Terabits'])
    units.add(size).add(`${size}/Second`);

const wrong = [];
const rule = (holds, what) => holds || wrong.push(what);
const isObject = (x) => typeof x === 'object' && x !== null && !Array.isArray(x);
const isText = (x, max) => typeof x === 'string' && x.length >= 1 && x.length <= max;
const isNumber = (x) => typeof x === 'number' && Number.isFinite(x);

function directive(d, root) {
    rule(isText(d.Namespace, 1024), 'Namespace: a text of 1 to 1024');
    rule(Array.isArray(d.Dimensions) && d.Dimensions.length >= 1,
        'Dimensions: an array that is not empty');
    for (const set of d.Dimensions ?? []) {
        rule(Array.isArray(set) && set.length <= 30, 'a dimension set: 30 at most');
        for (const name of set)
            rule(isText(name, 250) && isText(root[name], 1024),
                `dimension ${name}: names a text of the root`);
    }
    rule(Array.isArray(d.Metrics) && d.Metrics.length <= 100, 'Metrics: 100 at most');
    for (const m of d.Metrics ?? []) {
        const value = root[m.Name];
        const list = Array.isArray(value) ? value : [value];
        rule(isText(m.Name, 1024), 'Name: a text of 1 to 1024');
        rule(m.Unit === undefined || units.has(m.Unit), `Unit: ${m.Unit}`);
        rule([undefined, 1, 60].includes(m.StorageResolution), 'StorageResolution');
        rule(list.length <= 100 && list.every(isNumber),
            `metric ${m.Name}: names numbers of the root`);
    }
}

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const root = JSON.parse(line);
    rule(Buffer.byteLength(line) <= 1024 * 1024, 'a line: 1 MB at most');
    rule(isObject(root._aws), '_aws: an object');
    rule(Number.isInteger(root._aws?.Timestamp), 'Timestamp: a whole number');
    const age = Date.now() - root._aws?.Timestamp;
    rule(age < 14 * 86400e3 && age > -2 * 3600e3, 'Timestamp: ms, of these two weeks');
    rule(Array.isArray(root._aws?.CloudWatchMetrics), 'CloudWatchMetrics: an array');
    for (const d of root._aws?.CloudWatchMetrics ?? []) directive(d, root);
}
wrong.forEach((what) => console.log(what));
process.exit(wrong.length > 0 ? 1 : 0);
