/* template.yaml and cdk.mjs: `cdk synth` runs, CDK reads the SAM template, what
 * counts is the same in both, and the target that SAM calls does what it must.
 * Run from the top of the tree; test.sh has installed the packages. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

import { check, equal, run, skip } from '../clients/harness.mjs';

const BUILD = path.resolve('build/deploy');
const load = createRequire(path.join(BUILD, 'package.json'));
const zip = path.resolve(process.argv[2]);
/* The processor and the kind of access, as each template is told them. */
const VARIANTS = [['x86_64', 'NONE'], ['arm64', 'AWS_IAM']];

/* What counts, by type of resource. */
const COUNTS = {
    'AWS::Lambda::Function': ['Runtime', 'Handler', 'Architectures', 'Timeout',
                              'MemorySize', 'LoggingConfig'],
    'AWS::Lambda::Url': ['AuthType', 'InvokeMode', 'TargetFunctionArn'],
    'AWS::Lambda::Permission': ['FunctionName', 'Action', 'Principal',
                                'FunctionUrlAuthType', 'InvokedViaFunctionUrl'],
    'AWS::Logs::LogGroup': ['RetentionInDays'],
};

const plain = (type) => type.replace('Serverless', 'Lambda');

/* A value with parameters put in, and names of resources by their types. */
function resolve(value, template, parameters) {
    if (Array.isArray(value))
        return value.map((v) => resolve(v, template, parameters));
    if (value === null || typeof value !== 'object')
        return value;

    const name = value.Ref ?? value['Fn::GetAtt']?.toString().split(/[.,]/)[0];

    if (name in parameters)
        return parameters[name];
    if (name)
        return `of ${plain(template.Resources[name].Type)}`;
    return Object.fromEntries(Object.entries(value).map(
        ([k, v]) => [k, resolve(v, template, parameters)]));
}

function what_counts(template, parameters) {
    return Object.values(template.Resources)
        .filter((r) => plain(r.Type) in COUNTS &&
                (r.Condition === undefined || parameters.Auth === 'NONE'))
        .map((r) => JSON.stringify([
            plain(r.Type), r.DeletionPolicy ?? 'none',
            ...COUNTS[plain(r.Type)].map((name) => [name, resolve(
                r.Properties[name] ?? null, template, parameters)])]))
        .sort();
}

/* As the comment at the top of cdk.mjs says. */
function synthesize(architecture, auth) {
    const out = path.join(BUILD, `cdk-${architecture}`);

    fs.rmSync(out, {recursive: true, force: true});
    fs.copyFileSync('test/deploy/cdk.mjs', path.join(BUILD, 'cdk.mjs'));
    execFileSync('node_modules/.bin/cdk', [
        'synth', '--app', 'node cdk.mjs', '--quiet', '--output', out,
        '--no-version-reporting', '--no-notices', '-c', `zip=${zip}`,
        '-c', `architecture=${architecture}`, '-c', `auth=${auth}`], {
        cwd: BUILD, stdio: ['ignore', 'ignore', 'pipe'],
        env: {...process.env, CDK_DISABLE_CLI_TELEMETRY: 'true',
              CDK_DISABLE_VERSION_CHECK: 'true', CI: 'true'}});
    return JSON.parse(fs.readFileSync(
        path.join(out, 'rawstream.template.json'), 'utf8'));
}

/* A template, read by CDK, which knows the resource types of CloudFormation and
 * of SAM, and each of their properties. */
function read(name) {
    const { App, CfnResource, Stack } = load('aws-cdk-lib');
    const { CfnInclude } = load('aws-cdk-lib/cloudformation-include');
    const app = new App();
    const stack = new Stack(app, name);

    new CfnInclude(stack, 'Template', {
        templateFile: `test/deploy/${name}.yaml`});
    for (const resource of stack.node.findAll())
        if (CfnResource.isCfnResource(resource)) {
            const unknown = {...resource.rawOverrides.Properties};

            /* CDK's list of SAM's properties is older than this one. */
            if (resource.cfnResourceType === 'AWS::Serverless::Function')
                delete unknown.LoggingConfig;
            equal(`${name}.yaml, ${resource.node.id}: properties exist`,
                  Object.keys(unknown), []);
        }
    return app.synth().getStackByName(name).template;
}

const of_type = (template, type) => Object.values(template.Resources)
    .filter((r) => r.Type === type).map((r) => r.Properties);

/* Before the function: API Gateway, CloudFront. */
function fronts() {
    const gateway = read('gateway'), cloudfront = read('cloudfront');
    const methods = of_type(gateway, 'AWS::ApiGateway::Method')
        .map((m) => m.Integration);

    equal('gateway: both methods stream', methods.map(
        (m) => [m.Type, m.ResponseTransferMode, m.IntegrationHttpMethod,
                JSON.stringify(m.Uri).includes('path/2021-11-15/functions/') &&
                JSON.stringify(m.Uri).includes('/response-streaming-')]),
        Array(2).fill(['AWS_PROXY', 'STREAM', 'POST', true]));
    equal('CloudFront: may do both, nobody else may', of_type(
        cloudfront, 'AWS::Lambda::Permission').map(
        (p) => [p.Action, p.Principal, p.FunctionUrlAuthType ?? null,
                p.InvokedViaFunctionUrl ?? null]), [
        ['lambda:InvokeFunctionUrl', 'cloudfront.amazonaws.com', 'AWS_IAM',
         null],
        ['lambda:InvokeFunction', 'cloudfront.amazonaws.com', null, true]]);
}

function compare() {
    const sam = read('template');

    for (const [architecture, auth] of VARIANTS) {
        const name = `${architecture}, ${auth}`;
        const cdk = synthesize(architecture, auth);
        const ours = what_counts(sam, {Architecture: architecture, Auth: auth});
        const theirs = what_counts(cdk, {Auth: auth});

        equal(`${name}: the same in both`, ours, theirs);
        equal(`${name}: permissions`, ours.filter(
            (r) => r.includes('Permission')).length, auth === 'NONE' ? 2 : 0);
        console.log(`--- ${name}\n${ours.join('\n')}`);

        /* SAM makes such a role by itself where none is named. */
        const role = Object.values(cdk.Resources).find(
            (r) => r.Type === 'AWS::IAM::Role').Properties;

        equal(`${name}: the role is for logs alone`,
              [role.ManagedPolicyArns.length, role.Policies ?? null,
               sam.Resources.Rawstream.Properties.Role ?? null,
               sam.Resources.Rawstream.Properties.Policies ?? null],
              [1, null, null, null]);
        check(`${name}: AWSLambdaBasicExecutionRole`, JSON.stringify(
            role).includes('service-role/AWSLambdaBasicExecutionRole'), role);
    }
}

/* `sam build` copies the tree and calls make there. */
function sam_build() {
    const sam = read('template');
    const [name, resource] = Object.entries(sam.Resources).find(
        ([, r]) => r.Metadata?.BuildMethod === 'makefile');
    const top = path.resolve('test/deploy', resource.Properties.CodeUri);

    check('CodeUri has the Makefile', fs.existsSync(
        path.join(top, 'Makefile')), top);
    for (const arch of ['', 'arm64']) {
        const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sam-'));
        const artifacts = path.join(dir, 'a folder', 'Rawstream');
        const { MAKEFLAGS, ARCH, ...env } = process.env;

        fs.cpSync(top, path.join(dir, 'tree'), {recursive: true, filter: (f) =>
            !['.git', 'build', 'bootstrap'].includes(path.relative(top, f))});

        const make = spawnSync('make', [`build-${name}`], {
            cwd: path.join(dir, 'tree'), encoding: 'utf8',
            env: {...env, ARTIFACTS_DIR: artifacts,
                  ...arch ? {ARCH: arch} : {}}});

        if (arch && make.status !== 0) {
            skip(`SAM for arm64: ${make.stderr.trim().split('\n').at(-1)}`);
        } else {
            equal(`SAM ${arch}: make`, make.status, 0);
            equal(`SAM ${arch}: one file`, fs.readdirSync(artifacts),
                  ['bootstrap']);

            const file = path.join(artifacts, 'bootstrap');
            const bytes = fs.readFileSync(file);

            equal(`SAM ${arch}: mode`, fs.statSync(file).mode & 0o777, 0o755);
            if (arch)
                equal('SAM arm64: its processor', bytes.readUInt16LE(18), 183);
            else
                equal('SAM: runs', execFileSync('build/lambda', [
                    '--invoke', '{"delay":0,"format":"text"}', '--', file],
                    {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']}),
                    'Hello this is a streaming Lambda function response\n');
        }
        fs.rmSync(dir, {recursive: true});
    }
}

await run(compare, sam_build, fronts);
