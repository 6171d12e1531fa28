/* The function as a CDK app, the same as template.yaml:
 *     make zip && npm install aws-cdk aws-cdk-lib constructs
 *     npx cdk deploy --app 'node test/deploy/cdk.mjs'
 * The context values `zip`, `architecture` and `auth` change what is deployed:
 *     -c architecture=arm64 -c zip=build/arm64/function.zip -c auth=AWS_IAM */
import { App, CfnOutput, Duration, RemovalPolicy, Stack }
    from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';

const app = new App();
const stack = new Stack(app, 'rawstream');
const context = (name, value) => app.node.tryGetContext(name) ?? value;
const auth = context('auth', 'NONE');

const log = new logs.LogGroup(stack, 'Log', {
    retention: logs.RetentionDays.TWO_WEEKS,
    removalPolicy: RemovalPolicy.DESTROY,
});
const rawstream = new lambda.Function(stack, 'Rawstream', {
    runtime: lambda.Runtime.PROVIDED_AL2023,
    architecture: context('architecture', 'x86_64') === 'arm64'
        ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
    handler: 'bootstrap',
    code: lambda.Code.fromAsset(context('zip', 'function.zip')),
    timeout: Duration.seconds(30),
    memorySize: 128,
    logGroup: log,
});
const url = rawstream.addFunctionUrl({
    authType: lambda.FunctionUrlAuthType[auth],
    invokeMode: lambda.InvokeMode.RESPONSE_STREAM,
});

new CfnOutput(stack, 'Url', {value: url.url});
