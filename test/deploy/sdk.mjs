/* Sends requests with AWS's SDK for JavaScript, whose model is newer than that
 * of Debian's CLI: sdk.mjs ENDPOINT REGION < [[operation, parameters], ...].
 * It drops members that it does not know, so what arrives shows which it does.
 * Run from the top of the tree; test.sh has installed the SDK. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const sdk = createRequire(path.resolve('build/deploy/package.json'))(
    '@aws-sdk/client-lambda');
const [endpoint, region] = process.argv.slice(2);
const client = new sdk.LambdaClient({endpoint, region});

/* Bytes come as {"base64": text}. */
const bytes = (_, value) => typeof value?.base64 === 'string'
    ? Buffer.from(value.base64, 'base64') : value;

for (const [operation, input] of JSON.parse(readFileSync(0, 'utf8'), bytes))
    try {
        await client.send(new sdk[`${operation}Command`](input));
    } catch (error) {
        console.log(operation, error.name);
    }
