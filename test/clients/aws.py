"""AWS's clients for Python and the shell on the local Lambda: boto3, and the
AWS CLI where it is there. aws.py BOOTSTRAP; run from the top of the tree."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

passed = failed = skipped = 0
WORDS = 'Hello this is a streaming Lambda function response'


def check(name, good, *seen):
    global passed, failed
    if good:
        passed += 1
        return
    failed += 1
    print('FAIL', name)
    for value in seen:
        print('    seen:', value)


def skip(why):
    global skipped
    skipped += 1
    print('skipped:', why)


class Lambda:
    """Runs until the block ends; its log is in self.log."""

    def __init__(self, *options):
        self.log = ''
        self.process = subprocess.Popen(
            ['build/lambda', '--port', '0', '--runtime-api', '127.0.0.1:0',
             '--timeout', '900', *options, '--', sys.argv[1]],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log += line
            if (found := re.search(r'listening on (\S+),', line)):
                self.url = found[1]
                break
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stderr:
            self.log += line

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.process.terminate()
        self.process.wait()


def client(it):
    return boto3.client(
        'lambda', endpoint_url=it.url, region_name='us-east-1',
        aws_access_key_id='none', aws_secret_access_key='none',
        config=Config(retries={'max_attempts': 0}, read_timeout=900))


def refused(call, code, member=None):
    try:
        answer = call()
    except ClientError as error:
        meta = error.response['ResponseMetadata']
        check(code, error.response['Error']['Code'] == code and
              meta.get('RequestId') and
              (member is None or error.response.get(member)), error.response)
        return
    check(code, False, answer)


def test_boto3():
    with Lambda() as it:
        api = client(it)
        answer = api.invoke(FunctionName='f', LogType='Tail',
                            Payload='{"delay":0,"format":"text"}')
        log = base64.b64decode(answer['LogResult']).decode()
        check('boto3: the payload', answer['Payload'].read().decode() ==
              WORDS + '\n', answer)
        check('boto3: the log', log.startswith('START RequestId: ') and
              '\tBilled Duration: ' in log, log)
        answer = api.invoke(FunctionName='f', Qualifier='7', Payload='{"delay":-1}')
        check('boto3: an error', answer['FunctionError'] == 'Unhandled' and
              answer['ExecutedVersion'] == '7', answer)
        answer = api.invoke_with_response_stream(
            FunctionName='f', LogType='Tail',
            Payload='{"delay":0,"format":"text"}')
        events = list(answer['EventStream'])
        text = b''.join(e['PayloadChunk']['Payload'] for e in events
                        if 'PayloadChunk' in e)
        end = events[-1].get('InvokeComplete', {})
        check('boto3: a stream', text.decode() == WORDS + '\n' and
              'ErrorCode' not in end and 'LogResult' in end, events)
        answer = api.get_function(FunctionName='f')
        check('boto3: GetFunction',
              answer['Configuration']['State'] == 'Active', answer)
        check('boto3: ListFunctions',
              len(api.list_functions()['Functions']) == 1)
        api.get_waiter('function_active_v2').wait(FunctionName='f')
        refused(lambda: api.invoke(FunctionName='f:a', Qualifier='b'),
                'InvalidParameterValueException')
        refused(lambda: api.invoke(FunctionName='f', Payload='{'),
                'InvalidRequestContentException', 'message')
        refused(lambda: api.delete_function(FunctionName='f'),
                'UnknownOperationException')
    with Lambda('--function-name', 'g') as it:
        refused(lambda: client(it).invoke(FunctionName='f'),
                'ResourceNotFoundException', 'Message')
    with Lambda('--max-waiting', '0', '--concurrency', '1') as it:
        api = client(it)
        stream = api.invoke_with_response_stream(
            FunctionName='f', Payload='{"delay":100,"format":"text"}')
        next(iter(stream['EventStream']))
        refused(lambda: api.invoke(FunctionName='f'),
                'TooManyRequestsException', 'Reason')


def aws(it, *arguments):
    return subprocess.run(
        ['aws', '--endpoint-url', it.url, '--region', 'us-east-1', 'lambda',
         *arguments], capture_output=True, text=True,
        env={**os.environ, 'AWS_ACCESS_KEY_ID': 'none',
             'AWS_SECRET_ACCESS_KEY': 'none', 'AWS_PAGER': '',
             'AWS_MAX_ATTEMPTS': '1'})


def test_cli():
    with Lambda() as it, tempfile.TemporaryDirectory() as folder:
        event, out = folder + '/event.json', folder + '/out'
        with open(event, 'w') as file:
            file.write('{"delay":0,"format":"text"}')
        run = aws(it, 'invoke', '--function-name', 'f', '--payload',
                  'fileb://' + event, '--log-type', 'Tail', out)
        check('AWS CLI: invoke', run.returncode == 0 and
              open(out).read() == WORDS + '\n', run)
        check('AWS CLI: the log',
              'LogResult' in json.loads(run.stdout or '{}'), run)
        run = aws(it, 'get-function', '--function-name', 'f')
        check('AWS CLI: get-function', run.returncode == 0, run)
        run = aws(it, 'list-functions', '--query', 'Functions[].FunctionName',
                  '--output', 'text')
        check('AWS CLI: list-functions', run.stdout == 'function\n', run)
        run = aws(it, 'delete-function', '--function-name', 'f')
        check('AWS CLI: what is not there', run.returncode != 0 and
              'UnknownOperationException' in run.stderr, run)


try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    boto3 = None
if boto3:
    test_boto3()
else:
    skip('boto3 is not here')
if shutil.which('aws'):
    test_cli()
else:
    skip('the AWS CLI is not here')
print(f'{passed} passed, {failed} failed' +
      (f', {skipped} skipped' if skipped else ''))
sys.exit(1 if failed else 0)
