"""deploy.sh against the endpoint of endpoint.py, by Debian's AWS CLI.

    deploy_test.py ZIP

Each test has an endpoint, a home and a PATH of its own; several run at once.
Nothing here depends on how long anything takes: a pending state ends after so
many looks, and `sleep` of deploy.sh does not wait.
"""
import base64
import concurrent.futures
import copy
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zipfile

from endpoint import Account, Endpoint, load_models

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
AWS = '/usr/bin/aws'
MODELS = load_models('/usr/lib/python3/dist-packages/awscli/botocore/data',
                     os.path.join(HERE, 'model.json'))
# All that deploy.sh may call besides aws and curl.
TOOLS = ('awk base64 cat env expr mktemp od rm sed sh sha256sum tr wc').split()
KEY, SECRET = 'AKIDEXAMPLE', 'canary/secret+"\\key'
TOKEN = 'canary-token=='
REGION = 'eu-west-1'
ROLE = f'rawstream-{REGION}'
LOGS = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
# So long without a call or a request: it hangs.
HANG_S = 300

WRAPPER = '''#!/bin/sh
# The CLI with its endpoint; the run ends behind its call number $CUT.
PATH=/usr/bin:/bin
printf '%s\\n' "$*" >>"$CALLS"
case $* in
*--generate-cli-skeleton*)
    cache=$SKELETONS/$2
    if [ ! -e "$cache" ]; then
        $REAL_AWS "$@" >"$cache.$$" && mv "$cache.$$" "$cache"
    fi
    cat "$cache"
    ;;
configure*) $REAL_AWS "$@" ;;
cloudwatch* | 'logs put'* | 'logs start'*)
    # Not calls of deploy.sh, but of README.md: the CLI checks them by itself.
    $REAL_AWS "$@" --generate-cli-skeleton output
    ;;
*) $REAL_AWS --endpoint-url "$ENDPOINT" "$@" ;;
esac
status=$?
[ "$(wc -l <"$CALLS")" != "${CUT:-}" ] || kill -9 0
exit $status
'''

counts = {'passed': 0, 'failed': 0, 'skipped': 0}
lock = threading.Lock()
endpoints = []
scratch = tempfile.mkdtemp()
# The CLI of /usr/bin/python3, loaded once.
SOCKET = os.path.join(scratch, 'cli')
CLI = f'/usr/bin/python3 -SE {os.path.join(HERE, "cli.py")} {SOCKET}'
# Copies, so that the script may be edited and the zip built while the tests run.
SCRIPT = shutil.copy(os.path.join(HERE, 'deploy.sh'), scratch)
ZIP = shutil.copy(sys.argv[1], os.path.join(scratch, 'function.zip'))


def ok(name, right, *seen):
    with lock:
        counts['passed' if right else 'failed'] += 1
        if not right:
            print(f'FAIL {name}', *(f'    {s}' for s in seen), sep='\n',
                  flush=True)


def equal(name, seen, expected):
    ok(name, seen == expected, f'seen:       {seen}', f'instead of: {expected}')


def skip(why):
    with lock:
        counts['skipped'] += 1
        print(f'skipped: {why}')


class Place:
    """An account and a machine from which it is reached."""

    def __init__(self, cli=True, models=True, keys=True, aws=None, **account):
        self.dir = tempfile.mkdtemp(dir=scratch)
        self.account = Account(**account)
        self.endpoint = Endpoint(MODELS, self.account, {KEY: SECRET})
        endpoints.append(self.endpoint)
        self.home, self.bin = self.path('home'), self.path('bin')
        self.calls = self.path('calls')
        os.mkdir(self.bin)
        os.mkdir(self.path('tmp'))
        target = os.path.join(self.home, '.aws/models/lambda/2015-03-31')
        os.makedirs(target)
        if models:
            shutil.copy(os.path.join(HERE, 'model.json'),
                        os.path.join(target, 'service-2.sdk-extras.json'))
        for tool in TOOLS + ['curl']:
            os.symlink(shutil.which(tool), os.path.join(self.bin, tool))
        self.program('sleep', '#!/bin/sh\n')
        if cli:
            self.program('aws', WRAPPER)
        skeletons = os.path.join(scratch, f'skeletons-{models}')
        os.makedirs(skeletons, exist_ok=True)
        self.env = {'PATH': self.bin, 'HOME': self.home, 'CALLS': self.calls,
                    'TMPDIR': self.path('tmp'), 'REAL_AWS': aws or CLI,
                    'SKELETONS': skeletons, 'ENDPOINT': self.endpoint.base,
                    'AWS_EC2_METADATA_DISABLED': 'true'}
        if keys:
            self.env.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET)

    def path(self, name):
        return os.path.join(self.dir, name)

    def program(self, name, text):
        with open(os.path.join(self.bin, name), 'w') as file:
            file.write(text)
        os.chmod(file.name, 0o755)

    def run(self, *arguments, settings=True, cut='', env=(), stdin=None,
            shell=('sh',), before=()):
        """deploy.sh; what it printed, its status, the operations it called."""
        self.endpoint.requests.clear()
        if os.path.exists(self.calls):
            os.remove(self.calls)
        if settings:
            arguments += (f'ZIP={ZIP}', f'REGION={REGION}')
        return self.execute(
            [*before, *shell, SCRIPT, *arguments], stdin=stdin,
            env={**self.env, **dict(env), 'CUT': str(cut)})

    def execute(self, command, stdin=None, input=None, **more):
        """Runs a command to its end, for as long as something moves."""
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.PIPE if input else stdin or subprocess.DEVNULL,
            start_new_session=True, **more)
        before = None
        while True:
            try:
                output = process.communicate(input, timeout=HANG_S)
                return subprocess.CompletedProcess(
                    command, process.returncode, *output)
            except subprocess.TimeoutExpired:
                now = (os.path.exists(self.calls) and
                       os.path.getsize(self.calls), len(self.endpoint.seen))
                if now == before:
                    process.kill()
                    raise
                before, input = now, None

    def good(self, name, *arguments, **more):
        """As run(), of what must succeed by requests that are all valid."""
        seen = self.run(*arguments, **more)
        equal(f'{name}: succeeds', (seen.returncode, self.faults()), (0, []))
        if seen.returncode:
            print(seen.stdout, seen.stderr)
        return seen

    def faults(self):
        return [r for r in self.endpoint.requests if r[3]]

    def changes(self):
        return [o for o in self.endpoint.operations()
                if not re.match('Get|List|Filter', o)]


def transcript(name, *runs):
    with lock:
        print(f'--- {name}')
        for seen in runs:
            print(seen.stderr + seen.stdout + f'    (status {seen.returncode})')


def table(endpoints):
    """All requests by their operations: how many, with which members, and how
    many of them the models refuse."""
    rows = {}
    for request in (r for e in endpoints for r in e.seen):
        row = rows.setdefault((request[0], str(request[1])), [0, 0, set()])
        row[0] += 1
        row[1] += bool(request[3])
        row[2] |= set(request[2])
    print('--- requests, of these not valid, operation, members')
    for (service, operation), (count, wrong, members) in sorted(rows.items()):
        print(f'{count:6} {wrong:3} {service} {operation}:', *sorted(members))


DEPLOY = ('deploy', 'YES=1')
CREATED = ['CreateRole', 'AttachRolePolicy', 'CreateFunction',
           'CreateFunctionUrlConfig', 'AddPermission', 'AddPermission']
DELETED = ['DeleteFunctionUrlConfig', 'DeleteFunction', 'DeleteLogGroup',
           'DetachRolePolicy', 'DeleteRole']


def unlike(changes):
    """Without the same operation again, as of a role that was too new."""
    return [c for i, c in enumerate(changes)
            if c == 'AddPermission' or c not in changes[:i]]


def test_deploy_and_back():
    place = Place(aws=AWS)
    first = place.good('deploy', *DEPLOY)
    transcript('make deploy', first)
    equal('deploy: its changes', unlike(place.changes()), CREATED)
    function = place.account.functions['rawstream']
    equal('deploy: the configuration', {
        k: v for k, v in function['configuration'].items()}, {
        'PackageType': 'Zip', 'FunctionName': 'rawstream',
        'Runtime': 'provided.al2023', 'Architectures': ['x86_64'],
        'Role': place.account.roles[ROLE]['Arn'], 'Handler': 'bootstrap',
        'Timeout': 30, 'MemorySize': 128})
    with open(ZIP, 'rb') as file:
        equal('deploy: the zip', function['zip'] == file.read(), True)
    equal('deploy: the URL', function['url'], {
        'AuthType': 'NONE', 'InvokeMode': 'RESPONSE_STREAM',
        'FunctionUrl': f'https://abcdefghij.lambda-url.{REGION}.on.aws/'})
    equal('deploy: the permissions', function['policy'], {
        'UrlPublic': {'StatementId': 'UrlPublic', 'Principal': '*',
                      'Action': 'lambda:InvokeFunctionUrl',
                      'FunctionUrlAuthType': 'NONE'},
        'UrlInvoke': {'StatementId': 'UrlInvoke', 'Principal': '*',
                      'Action': 'lambda:InvokeFunction',
                      'InvokedViaFunctionUrl': True}})
    equal('deploy: the role', [
        place.account.roles[ROLE][k] for k in ('policies', 'Tags')],
        [[LOGS], [{'Key': 'rawstream-deploy', 'Value': 'rawstream'}]])
    url = function['url']['FunctionUrl']
    equal('deploy: what it prints', first.stdout,
          f'{url}\ncurl --no-buffer {url}\n')

    again = place.good('again', *DEPLOY)
    transcript('again', again)
    equal('again: no change', (place.changes(), again.stdout, again.stderr),
          ([], first.stdout, ''))
    equal('again: is not asked', place.run('deploy').returncode, 0)

    place.account.groups.add('/aws/lambda/rawstream')
    away = place.good('undeploy', 'undeploy')
    transcript('make undeploy', away)
    equal('undeploy: its changes', place.changes(), DELETED)
    equal('undeploy: nothing is left', place.account.state(), [{}, {}, []])
    away = place.good('undeploy again', 'undeploy')
    transcript('again', away)
    equal('undeploy again: says nothing', away.stderr, '')


def test_what_differs():
    place = Place()
    place.good('deploy', *DEPLOY)
    place.good('time-out', *DEPLOY, 'TIMEOUT=60')
    equal('time-out: one change', place.changes(),
          ['UpdateFunctionConfiguration'])
    place.good('memory', *DEPLOY, 'TIMEOUT=60', 'MEMORY=1024')
    equal('memory: one change', place.changes(),
          ['UpdateFunctionConfiguration'])
    other = place.path('other.zip')
    with zipfile.ZipFile(other, 'w') as file:
        file.writestr('bootstrap', 'x')
    settings = ('TIMEOUT=60', 'MEMORY=1024', f'REGION={REGION}', f'ZIP={other}')
    place.good('code', *DEPLOY, *settings, settings=False)
    equal('code: one change', place.changes(), ['UpdateFunctionCode'])
    place.good('processor', *DEPLOY, *settings, 'ARCH=arm64', settings=False)
    equal('processor: one change', place.changes(), ['UpdateFunctionCode'])
    configuration = place.account.functions['rawstream']['configuration']
    equal('processor', configuration['Architectures'], ['arm64'])
    configuration['Runtime'] = 'provided.al2'
    place.good('runtime', *DEPLOY, *settings, 'ARCH=arm64', settings=False)
    equal('runtime', configuration['Runtime'], 'provided.al2023')
    # While somebody else's change is under way.
    place.account.functions['rawstream']['busy'] = 5
    place.good('busy', *DEPLOY)
    equal('busy: both changes', place.changes(),
          ['UpdateFunctionCode', 'UpdateFunctionConfiguration'])


def test_failed_change():
    place = Place(new=0)
    place.good('deploy', *DEPLOY)
    place.account.update = 'Failed'
    for name, *settings in [('a change that fails', 'TIMEOUT=60'),
                            ('... is told again', 'TIMEOUT=60')]:
        seen = place.run(*DEPLOY, *settings)
        equal(name, (seen.returncode, seen.stderr.splitlines()[-1]),
              (1, 'make deploy: rawstream is Active, Failed: '
                  'The image is gone.'))


def test_auth():
    place = Place()
    seen = place.good('AWS_IAM', 'deploy', 'AUTH=AWS_IAM')
    equal('AWS_IAM: no permission',
          place.account.functions['rawstream']['policy'], {})
    equal('AWS_IAM: what it prints', seen.stdout.splitlines()[1],
          f'make invoke FUNCTION=rawstream REGION={REGION}')
    place.good('to NONE', *DEPLOY)
    equal('to NONE: its changes', place.changes(),
          ['UpdateFunctionUrlConfig', 'AddPermission', 'AddPermission'])
    place.good('back to AWS_IAM', 'deploy', 'AUTH=AWS_IAM')
    equal('back to AWS_IAM: its changes', place.changes(),
          ['UpdateFunctionUrlConfig', 'RemovePermission', 'RemovePermission'])
    function = place.account.functions['rawstream']
    equal('back to AWS_IAM: closed', (function['url']['AuthType'],
          function['policy']), ('AWS_IAM', {}))

    # Statements that the console makes count, those for others stay.
    place.good('to NONE again', *DEPLOY)
    policy = function['policy']
    for own, console in [('UrlPublic', 'FunctionURLAllowPublicAccess'),
                         ('UrlInvoke', 'FunctionURLAllowInvokeAction')]:
        policy[console] = {**policy.pop(own), 'StatementId': console}
    place.good('the console', *DEPLOY)
    equal('the console: no change', place.changes(), [])
    others = {
        'Team': {'StatementId': 'Team', 'Action': 'lambda:InvokeFunctionUrl',
                 'Principal': '123456789012', 'FunctionUrlAuthType': 'NONE'},
        'Org': {'StatementId': 'Org', 'Action': 'lambda:InvokeFunction',
                'Principal': '*', 'InvokedViaFunctionUrl': True,
                'PrincipalOrgID': 'o-1234567890'},
        'S3': {'StatementId': 'S3', 'Action': 'lambda:InvokeFunction',
               'Principal': 's3.amazonaws.com'}}
    policy.update(others)
    place.good('closed', 'deploy', 'AUTH=AWS_IAM')
    equal('closed: what is for others stays', policy, others)
    policy['UrlPublic'] = {**others['Team'], 'StatementId': 'UrlPublic'}
    seen = place.run(*DEPLOY)
    ok('UrlPublic for somebody else: one line more', seen.returncode == 1 and
       'UrlPublic' in seen.stderr.splitlines()[-1], seen)
    equal('UrlPublic for somebody else: stays', policy['UrlPublic'],
          {**others['Team'], 'StatementId': 'UrlPublic'})

    function['url']['InvokeMode'] = 'BUFFERED'
    place.good('buffered', 'deploy', 'AUTH=AWS_IAM')
    equal('buffered: streams', function['url']['InvokeMode'], 'RESPONSE_STREAM')


def answer(place, text):
    """deploy.sh with a terminal on which somebody types."""
    master, slave = pty.openpty()
    os.write(master, text)
    seen = place.run('deploy', stdin=slave)
    os.close(slave)
    os.close(master)
    return seen


def test_asks():
    place = Place()
    for name, seen in [('nobody', place.run('deploy')),
                       ('no', answer(place, b'n\n')),
                       ('nothing', answer(place, b'\n'))]:
        ok(f'asked, {name}: fails', seen.returncode == 1, seen)
        ok(f'asked, {name}: says at whose cost', 'public' in seen.stderr and
           'pays' in seen.stderr, seen.stderr)
        equal(f'asked, {name}: no change', place.changes(), [])
    equal('asked, yes: goes on', answer(place, b'y\n').returncode, 0)
    # Half public is not public.
    del place.account.functions['rawstream']['policy']['UrlInvoke']
    equal('half public: is asked', place.run('deploy').returncode, 1)


def test_roles():
    place = Place(new=0)
    given = place.account.CreateRole({
        'RoleName': 'given', 'AssumeRolePolicyDocument': '{}'}, None)['Role']
    place.good('ROLE', *DEPLOY, f'ROLE={given["Arn"]}')
    equal('ROLE: none is made', list(place.account.roles), ['given'])
    place.good('no ROLE later', *DEPLOY)
    equal('no ROLE later: it stays', place.changes(), [])
    place.account.CreateRole({
        'RoleName': 'other', 'AssumeRolePolicyDocument': '{}'}, None)
    other = place.account.roles['other']['Arn']
    place.good('another ROLE', *DEPLOY, f'ROLE={other}')
    equal('another ROLE: one change', place.changes(),
          ['UpdateFunctionConfiguration'])
    place.good('undeploy of ROLE', 'undeploy')
    equal('undeploy of ROLE: it stays', sorted(place.account.roles),
          ['given', 'other'])

    # A role under our name that we did not make.
    place = Place(new=0)
    place.account.CreateRole({
        'RoleName': ROLE, 'AssumeRolePolicyDocument': '{}'}, None)
    before = place.account.state()[1]
    place.good('a role of others', *DEPLOY)
    place.good('a role of others: undeploy', 'undeploy')
    equal('a role of others: untouched', place.account.state()[1], before)

    # One of ours that somebody hung something on.
    place = Place()
    place.good('deploy', *DEPLOY)
    place.account.roles[ROLE]['policies'].append('arn:aws:iam::aws:policy/More')
    seen = place.run('undeploy')
    equal('a role in use: one line more', (
        seen.returncode, len(place.account.roles), seen.stderr.splitlines()[-1]
        .startswith('make undeploy: aws iam delete-role: ')), (1, 1, True))

    place = Place()
    name = 'n' * 60
    seen = place.run(*DEPLOY, f'FUNCTION={name}')
    equal('a name too long for a role: no change',
          (seen.returncode, place.changes(), len(seen.stderr.splitlines())),
          (1, [], 1))
    place.account.CreateRole({
        'RoleName': 'given', 'AssumeRolePolicyDocument': '{}'}, None)
    place.good('... with ROLE', *DEPLOY, f'FUNCTION={name}',
               f'ROLE={place.account.roles["given"]["Arn"]}')
    place.good('... and back', 'undeploy', f'FUNCTION={name}')


def test_others_function():
    place = Place(new=0, pending=0)
    place.good('deploy', *DEPLOY)
    place.account.functions['rawstream']['configuration']['Runtime'] = \
        'nodejs20.x'
    before = place.account.state()
    for verb in 'deploy', 'undeploy':
        seen = place.run(verb, 'YES=1')
        ok(f'{verb} of another kind: one line', seen.returncode == 1 and
           len(seen.stderr.splitlines()) == 1 and 'nodejs20.x' in seen.stderr,
           seen)
        equal(f'{verb} of another kind: no change', place.account.state(),
              before)


def refused(name, place, *arguments, says, settings=True, **more):
    """One clear line before anything was changed."""
    seen = place.run(*arguments, settings=settings, **more)
    ok(name, seen.returncode == 1 and len(seen.stderr.splitlines()) == 1 and
       says in seen.stderr and not seen.stdout and not place.changes(), seen)


def test_preconditions():
    place = Place()
    for setting, says in [
            ('FUNCTION=', 'FUNCTION='), ('FUNCTION=a b', 'FUNCTION=a b: '),
            ('FUNCTION=a.b', 'letters'), ('FUNCTION=' + 'n' * 65, 'letters'),
            ('FUNCTION=a;id', 'letters'), ('FUNCTION=é', 'letters'),
            ('REGION=here', 'region'), ('REGION=x/../y-1', 'region'),
            ('REGION=us-east-1.evil', 'region'), ('ROLE=admin', 'ARN'),
            ('ROLE=arn:aws:iam::1:role/x', 'ARN'), ('AUTH=none', 'AWS_IAM'),
            ('AUTH=', 'AWS_IAM'), ('ARCH=arm', 'arm64'), ('TIMEOUT=0', '900'),
            ('TIMEOUT=901', '900'), ('TIMEOUT=1s', '900'), ('TIMEOUT=', '900'),
            ('TIMEOUT=030', '900'), ('MEMORY=127', '10240'),
            ('MEMORY=10241', '10240'), ('MEMORY=128MB', '10240'),
            ('MEMORY=99999999999999999999', '10240'),
            ('SPEED=1', 'no such setting')]:
        refused(setting, place, *DEPLOY, f'REGION={REGION}', f'ZIP={ZIP}',
                setting, says=says, settings=False)
        equal(f'{setting}: no call', os.path.exists(place.calls), False)
    seen = place.run(*DEPLOY, 'FUNCTION=a\nb')
    equal('a name of two lines', (seen.returncode, place.changes()), (1, []))
    refused('no zip', place, *DEPLOY, f'REGION={REGION}', 'ZIP=/none',
            says='make zip', settings=False)
    for verb in 'deploy', 'undeploy', 'invoke', 'logs':
        refused(f'{verb}: no region', place, verb, f'ZIP={ZIP}',
                says='AWS_REGION', settings=False)
        refused(f'{verb}: no profile', place, verb, 'PROFILE=none', says='none')
        refused(f'{verb}: no credentials', Place(keys=False), verb,
                says='credentials')
        refused(f'{verb}: no CLI', Place(cli=False), verb,
                says='no program aws')
    refused('an old CLI', Place(models=False), *DEPLOY, says='InvokeMode')
    place = Place(models=False)
    skeletons = place.path('skeletons')
    os.mkdir(skeletons)
    with open(os.path.join(skeletons, 'create-function-url-config'), 'w') as f:
        f.write('{"InvokeMode": "BUFFERED"}')
    refused('a CLI older by less', place, *DEPLOY, says='InvokedViaFunctionUrl',
            env={'SKELETONS': skeletons})
    refused('invoke: no URL', Place(), 'invoke', says='make deploy')
    seen = Place().run('logs')
    equal('logs: none yet', (seen.returncode, seen.stdout,
          len(seen.stderr.splitlines())), (0, '', 1))


def test_region():
    for name, env, setting, region in [
            ('AWS_REGION', {'AWS_REGION': 'us-east-2'}, (), 'us-east-2'),
            ('AWS_DEFAULT_REGION', {'AWS_DEFAULT_REGION': 'us-west-2'}, (),
             'us-west-2'),
            ('REGION= counts more', {'AWS_REGION': 'us-east-2'},
             ('REGION=ap-south-1',), 'ap-south-1'),
            ('not from the environment', {
                'REGION': 'us-east-2', 'ROLE': 'x', 'MEMORY': '1', 'AUTH': 'x',
                'FUNCTION': 'other', 'AWS_REGION': 'us-gov-east-1'},
             (), 'us-gov-east-1')]:
        place = Place(new=0, pending=0)
        place.good(name, *DEPLOY, f'ZIP={ZIP}', *setting, settings=False,
                   env=env)
        equal(name, list(place.account.roles), [f'rawstream-{region}'])
        url = place.account.functions['rawstream']['url']['FunctionUrl']
        equal(f'{name}: the URL', url.split('.')[2], region)
    place = Place(keys=False, new=0, pending=0)
    with open(os.path.join(place.home, '.aws/config'), 'w') as file:
        file.write(f'[profile work]\nregion = eu-north-1\noutput = table\n'
                   f'aws_access_key_id = {KEY}\n'
                   f'aws_secret_access_key = {SECRET}\n')
    place.good('PROFILE', *DEPLOY, f'ZIP={ZIP}', 'PROFILE=work', settings=False)
    equal('PROFILE: its region', list(place.account.roles),
          ['rawstream-eu-north-1'])


def test_faults():
    place = Place()
    place.good('reference', *DEPLOY)
    reference = place.account.state()
    reads = ['GetFunctionConfiguration', 'GetFunctionUrlConfig', 'GetPolicy',
             'GetRole', 'ListAttachedRolePolicies']
    for fault in 'throttle', '500', 'before', 'after':
        place = Place()
        place.endpoint.faults.update({o: [fault] for o in reads + CREATED})
        place.good(f'deploy, each call meets {fault}', *DEPLOY)
        equal(f'deploy, each call meets {fault}: all were met', [
            o for o, left in place.endpoint.faults.items() if left], [])
        equal(f'deploy, each call meets {fault}: the same',
              place.account.state(), reference)
        # The other calls.
        place.account.functions['rawstream']['policy'].pop('UrlPublic')
        updates = ['UpdateFunctionCode', 'UpdateFunctionConfiguration',
                   'UpdateFunctionUrlConfig', 'RemovePermission']
        place.endpoint.faults.update({o: [fault] for o in updates})
        place.good(f'update, each call meets {fault}', 'deploy', 'AUTH=AWS_IAM',
                   'ARCH=arm64', 'TIMEOUT=60')
        equal(f'update, each call meets {fault}: closed', (
            place.account.functions['rawstream']['url']['AuthType'],
            place.account.functions['rawstream']['policy']), ('AWS_IAM', {}))
        place.account.groups.add('/aws/lambda/rawstream')
        place.endpoint.faults.update({o: [fault] for o in DELETED})
        place.good(f'undeploy, each call meets {fault}', 'undeploy')
        equal(f'undeploy, each call meets {fault}: nothing is left',
              place.account.state(), [{}, {}, []])


def cuts(name, account, *arguments):
    """A test for each call of a run: it is cut off there, and the next run does
    the rest. The account is what the run begins with."""
    place = Place()
    place.endpoint.account = copy.deepcopy(account)
    place.good(f'{name}: whole', *arguments)
    reference = place.endpoint.account
    with open(place.calls) as file:
        calls = file.read().splitlines()

    def cut_at(number):
        def test():
            place = Place()
            place.endpoint.account = copy.deepcopy(account)
            call = ' '.join(calls[number - 1].split()[:2])
            what = f'{name}, cut behind {call}'
            first = place.run(*arguments, cut=number)
            equal(f'{what}: was cut', first.returncode, -9)
            second = place.good(what, *arguments)
            if what.endswith(('lambda create-function', 'delete-function')):
                transcript(what, first, second)
            equal(f'{what}: the same in the end',
                  place.endpoint.account.state(), reference.state())
        return test
    return reference, [cut_at(number) for number in range(1, len(calls) + 1)]


def all_cuts():
    deployed, tests = cuts('deploy', Account(pending=1, new=1), *DEPLOY)
    deployed = copy.deepcopy(deployed)
    deployed.groups.add('/aws/lambda/rawstream')
    for name, *arguments in [
            ('update', 'deploy', 'AUTH=AWS_IAM', 'ARCH=arm64', 'TIMEOUT=60'),
            ('undeploy', 'undeploy')]:
        tests += cuts(name, deployed, *arguments)[1]
    return tests


def test_dry_run():
    place = Place(cli=False, keys=False)
    for verb in 'deploy', 'undeploy', 'invoke', 'logs':
        seen = place.run(verb, 'DRY_RUN=1', settings=False)
        ok(f'{verb}: dry run needs nothing', seen.returncode == 0 and
           (seen.stderr == '' or verb == 'deploy') and
           seen.stdout.startswith('aws '), seen)
    # What it prints does what it says.
    place = Place(new=0, pending=0)
    place.good('deploy', *DEPLOY)
    reference = place.account.state()
    for verb, expected in [('deploy', reference), ('undeploy', [{}, {}, []])]:
        dry = place.run(verb, 'DRY_RUN=1')
        equal(f'{verb}: dry run asks nothing of AWS', place.endpoint.requests,
              [])
        place.account.__init__(new=0, pending=0)
        if verb == 'undeploy':
            place.run(*DEPLOY)
        commands = ''.join(
            line.replace(':ACCOUNT:', ':123456789012:') + '\n'
            for line in dry.stdout.splitlines() if line.startswith('aws '))
        place.execute(['sh', '-c', commands], env=place.env)
        equal(f'{verb}: the commands of a dry run do it', place.account.state(),
              expected)
        equal(f'{verb}: ... and are valid', place.faults(), [])


def test_invoke():
    place = Place(new=0, pending=0)
    place.account.url = place.endpoint.base + '/'
    place.good('deploy', *DEPLOY, 'AUTH=AWS_IAM')
    for name, env in [('', {}),
                      (' with a token', {'AWS_SESSION_TOKEN': TOKEN})]:
        for event in '', '{"sentence":"it\'s ü"}':
            place.endpoint.called.clear()
            seen = place.run('invoke', f'EVENT={event}', env=env)
            equal(f'invoke, signed{name} {event}: accepted',
                  (seen.returncode, seen.stdout, place.endpoint.called),
                  (0, 'called\n', [('/', event.encode())]))
    seen = place.run('invoke', env={'AWS_SECRET_ACCESS_KEY': 'other'})
    ok('invoke, signed by another key: fails', seen.returncode != 0, seen)
    place.account.functions['rawstream']['url']['AuthType'] = 'NONE'
    seen = place.run('invoke')
    ok('invoke, not signed: 403 and its text', seen.returncode == 22 and
       'unsigned' in seen.stdout, seen)


def test_invoke_streams():
    """The URL is that of the local Lambda, with the zip that was deployed."""
    place = Place(new=0, pending=0)
    unpacked = unpack(place)
    server = subprocess.Popen(
        [os.path.join(TOP, 'build/lambda'), '--port', '0', '--runtime-api',
         '127.0.0.1:0', '--', os.path.join(unpacked, 'bootstrap')],
        stderr=subprocess.PIPE, text=True)
    try:
        listening = server.stderr.readline()
        threading.Thread(target=server.stderr.read, daemon=True).start()
        place.account.url = re.search(r'http://[0-9.:]+', listening)[0] + '/'
        place.good('deploy', *DEPLOY)
        seen = place.run('invoke', 'EVENT={"delay":0,"format":"text"}')
        equal('invoke of the local Lambda', (seen.returncode, seen.stdout),
              (0, 'Hello this is a streaming Lambda function response\n'))
    finally:
        server.kill()
        server.wait()


def unpack(place):
    """As Lambda does: each entry with its mode; what of it is not right."""
    target = place.path('task')
    os.mkdir(target)
    with zipfile.ZipFile(ZIP) as file:
        entries = file.infolist()
        equal('zip: one file at the root', [e.filename for e in entries],
              ['bootstrap'])
        equal('zip: from Unix, mode 0755',
              [(e.create_system, oct(e.external_attr >> 16)) for e in entries],
              [(3, '0o100755')])
        for entry in entries:
            path = file.extract(entry, target)
            os.chmod(path, entry.external_attr >> 16 & 0o777)
    return target


def test_sdk():
    """The requests once more through AWS's SDK: the same arrive."""
    if not os.path.isdir(os.path.join(TOP, 'build/deploy/node_modules')):
        return skip('the SDK: it is not installed')
    place, sent = Place(new=0, pending=0), []
    for settings in [DEPLOY, ('deploy', 'AUTH=AWS_IAM', 'ARCH=arm64',
                              'TIMEOUT=60'), ('undeploy',)]:
        place.good('for the SDK', *settings)
        sent += [r[:3] for r in place.endpoint.requests if r[0] == 'lambda']
    ok('the SDK: the newer members are among them', all(
        member in str(sent) for member in ('InvokeMode', 'provided.al2023',
                                           'InvokedViaFunctionUrl')), sent)
    place.endpoint.requests.clear()
    text = json.dumps([r[1:] for r in sent], default=lambda b: {
        'base64': base64.b64encode(b).decode()})
    seen = place.execute(
        ['node', os.path.join(HERE, 'sdk.mjs'), place.endpoint.base, REGION],
        input=text, cwd=TOP,
        env={'PATH': os.environ['PATH'], 'AWS_ACCESS_KEY_ID': KEY,
             'AWS_SECRET_ACCESS_KEY': SECRET,
             'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': 'true'})
    equal('the SDK: all are sent', (seen.returncode, seen.stderr), (0, ''))
    equal('the SDK: all are valid', place.faults(), [])
    equal('the SDK: the same arrive', [r[:3] for r in place.endpoint.requests],
          sent)


def test_logs():
    place = Place()
    place.account.groups.add('/aws/lambda/rawstream')
    seen = place.good('logs', 'logs')
    ok('logs: the line', 'REPORT RequestId: é' in seen.stdout, seen)
    equal('logs: one operation', set(place.endpoint.operations()),
          {'FilterLogEvents'})


def traced(name, place, *arguments, **more):
    """A run under strace: no secret in an argument, a file or the output."""
    log = place.path('strace')
    seen = place.run(*arguments, **more, before=(
        shutil.which('strace'), '-f', '-qq', '-y', '-s', '9999', '-o', log,
        '-e', 'trace=execve,write,writev,pwrite64'))
    with open(log) as file:
        lines = [line for line in file if 'canary' in line]
    os.remove(log)
    ok(f'{name}: succeeds', seen.returncode == 0, seen)
    # Where it may go: through a pipe to the next program, and nowhere.
    equal(f'{name}: in no argument and no file', [
        line for line in lines
        if not re.search(r'\(\d+<(pipe:\[\d+\]|/dev/null)>', line)], [])
    ok(f'{name}: not printed', 'canary' not in seen.stdout + seen.stderr, seen)
    equal(f'{name}: leaves no file', os.listdir(place.path('tmp')), [])


def test_secrets():
    probe = subprocess.run(['strace', '-qq', 'true'], capture_output=True) \
        if shutil.which('strace') else None
    if probe is None or probe.returncode:
        return skip('secrets: no strace that works here')
    env = {'AWS_SESSION_TOKEN': TOKEN}
    for name, keys in [('keys in the environment', True),
                       ('keys in a profile', False)]:
        place = Place(keys=keys, aws=AWS, new=0, pending=0)
        place.account.url = place.endpoint.base + '/'
        settings = ()
        if not keys:
            settings = ('PROFILE=work',)
            with open(os.path.join(place.home, '.aws/credentials'), 'w') as f:
                f.write(f'[work]\naws_access_key_id = {KEY}\n'
                        f'aws_secret_access_key = {SECRET}\n'
                        f'aws_session_token = {TOKEN}\n')
        more = {'env': env if keys else {}}
        traced(f'{name}, deploy', place, *DEPLOY, 'AUTH=AWS_IAM', *settings,
               **more)
        traced(f'{name}, again', place, *DEPLOY, *settings, **more)
        place.account.functions['rawstream']['url']['AuthType'] = 'AWS_IAM'
        traced(f'{name}, invoke', place, 'invoke', *settings, **more)
        place.account.groups.add('/aws/lambda/rawstream')
        traced(f'{name}, logs', place, 'logs', *settings, **more)
        traced(f'{name}, undeploy', place, 'undeploy', *settings, **more)
    # A secret that is wrong is not told either.
    seen = place.run('deploy', 'YES=1', env={
        'AWS_ACCESS_KEY_ID': KEY, 'AWS_SECRET_ACCESS_KEY': 'canary-wrong'})
    ok('a wrong secret: not told', seen.returncode == 1 and
       'canary' not in seen.stdout + seen.stderr, seen)


def commands(section):
    """The blocks of commands in a section of README.md."""
    with open(os.path.join(HERE, 'README.md')) as file:
        text = file.read().partition(f'\n## {section}\n')[2]
    return re.findall(r'```sh\n(.*?)```', text.partition('\n## ')[0], re.S)


def by_hand(name, place, blocks):
    """Types commands; each must succeed, by requests that are all valid."""
    place.endpoint.requests.clear()
    seen = place.execute(
        ['sh', '-euc', ''.join(blocks)], cwd=place.dir,
        env={**place.env, 'AWS_REGION': REGION, 'AWS_PAGER': '',
             'URL': place.endpoint.base + '/'})
    ok(f'{name}: succeeds', seen.returncode == 0, seen.stdout, seen.stderr)
    equal(f'{name}: is valid', place.faults(), [])
    return seen.stdout


def test_readme():
    place = Place(new=0, pending=0)
    place.account.url = place.endpoint.base + '/'
    place.program('make', '#!/bin/sh\n')
    os.symlink(shutil.which('date'), os.path.join(place.bin, 'date'))
    shutil.copy(ZIP, place.path('function.zip'))
    blocks = commands('By hand')
    # The last takes all away; an unsigned call is refused by the endpoint.
    by_hand('by hand', place, [b for b in blocks[:-1]])
    place.good('by hand, then make deploy', *DEPLOY, 'TIMEOUT=60')
    equal('by hand, then make deploy: no change', place.changes(), [])
    by_hand('CORS', place, commands('A page that reads the stream'))
    equal('CORS: nothing else changes', place.run(
        *DEPLOY, 'TIMEOUT=60').returncode, 0)
    by_hand('monitoring', place, commands('Monitoring'))
    # AWS's own secrets have neither quotes nor backslashes.
    place.endpoint.secrets[KEY] = 'plain/secret+key'
    place.env['AWS_SECRET_ACCESS_KEY'] = 'plain/secret+key'
    signed = commands('Signed requests')[0].replace('us-east-1', REGION)
    equal('signed by hand: accepted',
          by_hand('signed by hand', place, [signed]), 'called\n')
    place.env['AWS_SESSION_TOKEN'] = TOKEN
    equal('signed by hand with a token: accepted',
          by_hand('signed by hand', place, [signed]), 'called\n')
    place.account.groups.add('/aws/lambda/rawstream')
    by_hand('by hand: away', place, blocks[-1:])
    equal('by hand: nothing is left', place.account.state(), [{}, {}, []])
    for block in commands('In one command'):
        for target in re.findall(r'^make (\S+)', block, re.M):
            with open(os.path.join(HERE, 'deploy.mk')) as file:
                ok(f'make {target} exists', re.search(
                    rf'^([a-z ]* )?{target}( [a-z ]*)?:', file.read(), re.M))


def test_shells():
    for shell in ['bash', '--posix'], ['busybox', 'sh'], ['ksh'], ['mksh']:
        if not shutil.which(shell[0]):
            continue
        place = Place()
        path = (shutil.which(shell[0]), *shell[1:])
        place.good(f'deploy by {shell[0]}', *DEPLOY, shell=path)
        place.good(f'again by {shell[0]}', *DEPLOY, shell=path)
        equal(f'again by {shell[0]}: no change', place.changes(), [])
        place.good(f'undeploy by {shell[0]}', 'undeploy', shell=path)
        equal(f'undeploy by {shell[0]}', place.account.state(), [{}, {}, []])


def test_each_call_once():
    with open(SCRIPT) as file:
        calls = re.findall(
            r'\b(?:lambda|iam|logs) ((?:[a-z]+|\$how)(?:-[a-z]+)+|tail)',
            file.read())
    equal('each AWS call stands once', sorted(calls), sorted(set(calls)))
    ok('... and is found', len(calls) >= 17, calls)


def run_test(test):
    try:
        test()
    except Exception:
        ok(getattr(test, '__name__', 'test'), False, traceback.format_exc())


def main():
    only = sys.argv[2:]
    server = subprocess.Popen(['/usr/bin/python3', os.path.join(HERE, 'cli.py'),
                               SOCKET], stdin=subprocess.PIPE)
    while not os.path.exists(SOCKET) and server.poll() is None:
        time.sleep(0.1)
    tests = [t for name, t in globals().items() if name.startswith('test_')
             and (not only or name[5:] in only)]
    if not only or 'cuts' in only:
        tests += all_cuts()
    with concurrent.futures.ThreadPoolExecutor(
            os.cpu_count() + 2) as pool:
        list(pool.map(run_test, tests))
    server.kill()
    table(endpoints)
    shutil.rmtree(scratch)
    print(f'{counts["passed"]} passed, {counts["failed"]} failed' + (
        f', {counts["skipped"]} skipped' if counts['skipped'] else ''))
    return counts['failed'] > 0


if __name__ == '__main__':
    sys.exit(main())
