"""Lambda, IAM and CloudWatch Logs as far as deploy.sh calls them.

Every request is read back into an operation and its parameters by the service
models of botocore, which are AWS's own, and checked against them. State is kept
as AWS keeps it: what was created is there, what changes is pending for a while,
a role is too new at first. A test can order faults for the next request of an
operation.
"""
import base64
import hashlib
import hmac
import json
import os
import re
import threading
import traceback
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

ACCOUNT = '123456789012'
SERVICES = {'lambda': '2015-03-31', 'iam': '2010-05-08', 'logs': '2014-03-28'}


class Refused(Exception):
    """An answer with an error code of AWS."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def merge(base, extra):
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value


def load_models(directory, extra):
    """The service models of an AWS CLI; Lambda's with the newer members."""
    models = {}
    for service, version in SERVICES.items():
        with open(os.path.join(directory, service, version,
                               'service-2.json')) as file:
            models[service] = json.load(file)
    with open(extra) as file:
        merge(models['lambda'], json.load(file)['merge'])
    return models


# Parameters against a model

def expression(pattern):
    """A pattern of the models, which are Java's, in Python's words."""
    ascii_signs = r'!-/:-@\[-`{-~'
    for java, python in [(r'\p{L}', r'\w'), (r'\p{M}', r'\w'),
                         (r'\p{N}', r'\d'), (r'\p{Z}', r'\s'),
                         (r'\p{P}', ascii_signs), (r'\p{S}', ascii_signs),
                         ('9-_', r'9\-_')]:
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def check_range(shape, size, where):
    if size < shape.get('min', size) or size > shape.get('max', size):
        return [f'{where}: {size} is not from {shape.get("min")} '
                f'to {shape.get("max")}']
    return []


def check(model, name, value, where):
    """What is wrong with a value by the shape of that name: a list of texts."""
    shape = model['shapes'][name]
    kind = shape['type']
    types = {'structure': dict, 'map': dict, 'list': list, 'string': str,
             'integer': int, 'long': int, 'boolean': bool, 'blob': bytes}
    if not isinstance(value, types[kind]) or \
            (kind in ('integer', 'long') and isinstance(value, bool)):
        return [f'{where}: {value!r} is no {kind}']
    wrong = []
    if kind == 'structure':
        members = shape['members']
        wrong += [f'{where}.{m}: missing' for m in shape.get('required', [])
                  if m not in value]
        for key, item in value.items():
            if key not in members:
                wrong.append(f'{where}.{key}: unknown')
            else:
                wrong += check(model, members[key]['shape'], item,
                               f'{where}.{key}')
    elif kind == 'list':
        wrong += check_range(shape, len(value), where)
        for item in value:
            wrong += check(model, shape['member']['shape'], item, where)
    elif kind == 'map':
        for key, item in value.items():
            wrong += check(model, shape['key']['shape'], key, where)
            wrong += check(model, shape['value']['shape'], item, where)
    elif kind == 'string':
        wrong += check_range(shape, len(value), where)
        if value not in shape.get('enum', [value]):
            wrong.append(f'{where}: {value!r} is none of {shape["enum"]}')
        if 'pattern' in shape and \
                not expression(shape['pattern']).fullmatch(value):
            wrong.append(f'{where}: {value!r} is not {shape["pattern"]}')
    elif kind in ('integer', 'long'):
        wrong += check_range(shape, value, where)
    elif kind == 'blob':
        wrong += check_range(shape, len(value), where)
    return wrong


# A request read back into its parameters

def from_text(model, name, text):
    """A value of a URI or a form."""
    kind = model['shapes'][name]['type']
    if kind == 'boolean':
        return {'true': True, 'false': False}.get(text, text)
    if kind in ('integer', 'long') and re.fullmatch('-?[0-9]+', text):
        return int(text)
    return text


def from_json(model, name, value):
    """A value of a JSON body; blobs are base64 there."""
    shape = model['shapes'][name]
    if shape['type'] == 'blob' and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if shape['type'] == 'structure' and isinstance(value, dict):
        return {k: from_json(model, shape['members'][k]['shape'], v)
                if k in shape['members'] else v for k, v in value.items()}
    if shape['type'] == 'list' and isinstance(value, list):
        return [from_json(model, shape['member']['shape'], v) for v in value]
    return value


def read_rest(model, method, target, body):
    """Lambda: method and path tell the operation."""
    path, _, query = target.partition('?')
    for operation, description in model['operations'].items():
        http = description['http']
        pattern = re.sub(r'\\\{(\w+)\\\}', r'(?P<\1>[^/]+)',
                         re.escape(http['requestUri']))
        match = re.fullmatch(pattern, path)
        if match and http['method'] == method:
            break
    else:
        return None, {}
    name = description['input']['shape']
    members = model['shapes'][name]['members']
    parameters = from_json(model, name, json.loads(body)) if body else {}
    located = {m.get('locationName', k): (k, m) for k, m in members.items()}
    for key, text in [*match.groupdict().items(),
                      *urllib.parse.parse_qsl(query)]:
        key, member = located.get(key, (key, None))
        text = urllib.parse.unquote(text)
        parameters[key] = from_text(model, member['shape'], text) \
            if member else text
    return operation, parameters


def read_query(model, body):
    """IAM: a form; `Tags.member.1.Key` is a member of a list."""
    form = dict(urllib.parse.parse_qsl(body.decode()))
    operation = form.pop('Action')
    if form.pop('Version') != SERVICES['iam']:
        return None, {}
    shapes = model['shapes']

    def value(name, prefix):
        shape = shapes[name]
        if shape['type'] == 'structure':
            return {key: value(member['shape'], f'{prefix}.{key}')
                    for key, member in shape['members'].items()
                    if any(f.startswith(f'{prefix}.{key}') for f in form)}
        if shape['type'] == 'list':
            count = len({re.match(r'\.member\.(\d+)', f[len(prefix):])[1]
                         for f in form if f.startswith(f'{prefix}.')})
            return [value(shape['member']['shape'], f'{prefix}.member.{i + 1}')
                    for i in range(count)]
        return from_text(model, name, form[prefix])

    name = model['operations'][operation]['input']['shape']
    members = shapes[name]['members']
    parameters = {}
    for key in {f.split('.')[0] for f in form}:
        parameters[key] = value(members[key]['shape'], key) \
            if key in members else form[key]
    return operation, parameters


def read_target(model, headers, body):
    """Logs: a header tells the operation."""
    prefix, _, operation = headers['X-Amz-Target'].partition('.')
    if prefix != model['metadata']['targetPrefix']:
        return None, {}
    name = model['operations'][operation]['input']['shape']
    return operation, from_json(model, name, json.loads(body))


# Signatures

def signature_is_right(secret, method, target, headers, body):
    """Signature version 4, reckoned from the request as it came."""
    found = re.fullmatch(
        r'AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/'
        r'aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})',
        headers['Authorization'])
    if not found:
        return False
    _, date, region, service, signed, signature = found.groups()
    path, _, query = target.partition('?')
    lines = [method, path, '&'.join(sorted(query.split('&')))]
    lines += [f'{name}:{" ".join(headers[name].split())}'
              for name in signed.split(';')]
    lines += ['', signed, hashlib.sha256(body).hexdigest()]
    scope = f'{date}/{region}/{service}/aws4_request'
    text = '\n'.join(['AWS4-HMAC-SHA256', headers['X-Amz-Date'], scope,
                      hashlib.sha256('\n'.join(lines).encode()).hexdigest()])
    key = f'AWS4{secret}'.encode()
    for part in [*scope.split('/'), text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(key.hex(), signature) and \
        ('X-Amz-Security-Token' not in headers or
         'x-amz-security-token' in signed.split(';'))


# The account

class Account:
    """What there is, and each operation by its name. `pending` is for how many
    looks a change lasts, `new` for how many tries a role is too new."""

    def __init__(self, pending=2, new=2):
        self.pending, self.new = pending, new
        self.roles, self.functions, self.groups = {}, {}, set()
        self.update = 'Successful'  # how a change ends
        self.url = 'https://{}.lambda-url.{}.on.aws/'

    def state(self):
        """All that a run of deploy.sh can bring about; to be compared."""
        functions = {
            name: {**{k: v for k, v in f.items() if k != 'busy'},
                   'zip': hashlib.sha256(f['zip']).hexdigest()}
            for name, f in self.functions.items()}
        roles = {name: {k: v for k, v in r.items() if k != 'new'}
                 for name, r in self.roles.items()}
        return json.loads(json.dumps(
            [functions, roles, sorted(self.groups)], sort_keys=True))

    def function(self, name):
        if name not in self.functions:
            raise Refused(404, 'ResourceNotFoundException',
                          f'Function not found: {name}')
        return self.functions[name]

    def idle(self, name):
        function = self.function(name)
        if function['busy']:
            raise Refused(409, 'ResourceConflictException',
                          'The operation cannot be performed at this time: '
                          'an update is in progress')
        return function

    def assumable(self, arn):
        role = next((r for r in self.roles.values() if r['Arn'] == arn), None)
        if role and role['new'] == 0:
            return
        if role:
            role['new'] -= 1
        raise Refused(400, 'InvalidParameterValueException', 'The role defined '
                      'for the function cannot be assumed by Lambda.')

    # Lambda

    def GetFunctionConfiguration(self, p, _):
        function = self.function(p['FunctionName'])
        busy, created = function['busy'], function['created']
        function['busy'] = max(busy - 1, 0)
        if not function['busy']:
            function['created'] = False
        digest = hashlib.sha256(function['zip']).digest()
        return {**function['configuration'],
                'CodeSha256': base64.b64encode(digest).decode(),
                'State': 'Pending' if busy and created else 'Active',
                'LastUpdateStatus': 'InProgress' if busy and not created
                else self.update,
                'LastUpdateStatusReason': 'The image is gone.',
                # What a function may hold and nobody should see.
                'Environment': {'Variables': {'KEY': 'canary-environment'}}}

    def CreateFunction(self, p, _):
        if p['FunctionName'] in self.functions:
            raise Refused(409, 'ResourceConflictException',
                          f'Function already exist: {p["FunctionName"]}')
        self.assumable(p['Role'])
        p = dict(p)
        self.functions[p['FunctionName']] = {
            'zip': p.pop('Code')['ZipFile'], 'busy': self.pending,
            'created': True, 'url': None, 'policy': {},
            'configuration': {'PackageType': 'Zip', **p}}
        return {'FunctionName': p['FunctionName']}

    def UpdateFunctionCode(self, p, _):
        function = self.idle(p['FunctionName'])
        function['zip'] = p['ZipFile']
        function['configuration']['Architectures'] = p['Architectures']
        function['busy'] = self.pending
        return {}

    def UpdateFunctionConfiguration(self, p, _):
        function = self.idle(p['FunctionName'])
        if 'Role' in p:
            self.assumable(p['Role'])
        function['configuration'].update(p)
        function['busy'] = self.pending
        return {}

    def DeleteFunction(self, p, _):
        self.function(p['FunctionName'])
        del self.functions[p['FunctionName']]

    def CreateFunctionUrlConfig(self, p, region):
        function = self.function(p['FunctionName'])
        if function['url']:
            raise Refused(409, 'ResourceConflictException',
                          'FunctionUrlConfig exists for this Lambda function')
        function['url'] = {
            'AuthType': p['AuthType'],
            'InvokeMode': p.get('InvokeMode', 'BUFFERED'),
            'FunctionUrl': self.url.format('abcdefghij', region)}
        return function['url']

    def GetFunctionUrlConfig(self, p, _):
        function = self.function(p['FunctionName'])
        if not function['url']:
            raise Refused(404, 'ResourceNotFoundException',
                          'The resource you requested does not exist.')
        return function['url']

    def UpdateFunctionUrlConfig(self, p, region):
        url = self.GetFunctionUrlConfig(p, region)
        url.update({k: p[k] for k in ('AuthType', 'InvokeMode') if k in p})
        return url

    def DeleteFunctionUrlConfig(self, p, region):
        self.GetFunctionUrlConfig(p, region)
        self.function(p['FunctionName'])['url'] = None

    def GetPolicy(self, p, region):
        policy = self.function(p['FunctionName'])['policy']
        if not policy:
            raise Refused(404, 'ResourceNotFoundException',
                          'The resource you requested does not exist.')
        return {'Policy': json.dumps(
            {'Version': '2012-10-17', 'Id': 'default', 'Statement': [
                self.statement(p['FunctionName'], region, **s)
                for s in policy.values()]}, separators=(',', ':'))}

    def statement(self, function, region, StatementId, Action, Principal,
                  FunctionUrlAuthType=None, InvokedViaFunctionUrl=None,
                  PrincipalOrgID=None):
        condition = {}
        if PrincipalOrgID:
            condition['StringLike'] = {'aws:PrincipalOrgID': PrincipalOrgID}
        if FunctionUrlAuthType:
            condition['StringEquals'] = {
                'lambda:FunctionUrlAuthType': FunctionUrlAuthType}
        if InvokedViaFunctionUrl:
            condition['Bool'] = {'lambda:InvokedViaFunctionUrl': 'true'}
        return {'Sid': StatementId, 'Effect': 'Allow', 'Principal': Principal,
                'Action': Action, 'Condition': condition,
                'Resource': f'arn:aws:lambda:{region}:{ACCOUNT}:'
                            f'function:{function}'}

    def AddPermission(self, p, _):
        policy = self.function(p['FunctionName'])['policy']
        if p['StatementId'] in policy:
            raise Refused(409, 'ResourceConflictException', 'The statement id '
                          f'({p["StatementId"]}) provided already exists.')
        policy[p['StatementId']] = {k: v for k, v in p.items()
                                    if k != 'FunctionName'}
        return {'Statement': '{}'}

    def RemovePermission(self, p, _):
        policy = self.function(p['FunctionName'])['policy']
        if p['StatementId'] not in policy:
            raise Refused(404, 'ResourceNotFoundException',
                          f'Statement {p["StatementId"]} is not found')
        del policy[p['StatementId']]

    # IAM

    def role(self, name):
        if name not in self.roles:
            raise Refused(404, 'NoSuchEntity', 'The role with name '
                          f'{name} cannot be found.')
        return self.roles[name]

    def GetRole(self, p, _):
        role = self.role(p['RoleName'])
        return {'Role': {'RoleName': p['RoleName'], 'Arn': role['Arn'],
                         'Tags': role['Tags']}}

    def CreateRole(self, p, _):
        name = p['RoleName']
        if name in self.roles:
            raise Refused(409, 'EntityAlreadyExists',
                          f'Role with name {name} already exists.')
        trust = json.loads(p['AssumeRolePolicyDocument'])
        self.roles[name] = {
            'Arn': f'arn:aws:iam::{ACCOUNT}:role/{name}', 'trust': trust,
            'Tags': p.get('Tags', []), 'policies': [], 'new': self.new}
        return self.GetRole(p, None)

    def ListAttachedRolePolicies(self, p, _):
        return {'AttachedPolicies': [
            {'PolicyName': arn.split('/')[-1], 'PolicyArn': arn}
            for arn in self.role(p['RoleName'])['policies']],
            'IsTruncated': False}

    def AttachRolePolicy(self, p, _):
        policies = self.role(p['RoleName'])['policies']
        if p['PolicyArn'] not in policies:
            policies.append(p['PolicyArn'])
        return {}

    def DetachRolePolicy(self, p, _):
        policies = self.role(p['RoleName'])['policies']
        if p['PolicyArn'] not in policies:
            raise Refused(404, 'NoSuchEntity',
                          f'Policy {p["PolicyArn"]} was not found.')
        policies.remove(p['PolicyArn'])
        return {}

    def DeleteRole(self, p, _):
        if self.role(p['RoleName'])['policies']:
            raise Refused(409, 'DeleteConflict', 'Cannot delete entity, must '
                          'detach all policies first.')
        del self.roles[p['RoleName']]
        return {}

    # Logs

    def group(self, p):
        name = p.get('logGroupName')
        if name not in self.groups:
            raise Refused(400, 'ResourceNotFoundException',
                          'The specified log group does not exist.')
        return name

    def DeleteLogGroup(self, p, _):
        self.groups.remove(self.group(p))

    def FilterLogEvents(self, p, _):
        self.group(p)
        return {'events': [{'timestamp': 1700000000000, 'eventId': '1',
                            'logStreamName': 'stream', 'ingestionTime': 1,
                            'message': 'REPORT RequestId: é'}]}


# The server

THROTTLED = {'lambda': (429, 'TooManyRequestsException'),
             'iam': (400, 'Throttling'), 'logs': (400, 'ThrottlingException')}


def to_xml(value):
    if isinstance(value, dict):
        return ''.join(f'<{k}>{to_xml(v)}</{k}>' for k, v in value.items())
    if isinstance(value, list):
        return ''.join(f'<member>{to_xml(v)}</member>' for v in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


class Endpoint(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1. `requests` has, for each request,
    (service, operation, parameters, what is wrong with it, the code of the
    answer); `faults` maps an operation to what happens to its next requests:
    'throttle', '500', 'before' and 'after' (the connection is cut, and nothing
    or the operation was done); `secrets` maps access keys to their secrets."""

    daemon_threads = True

    def __init__(self, models, account, secrets):
        super().__init__(('127.0.0.1', 0), Handler)
        self.models, self.account, self.secrets = models, account, secrets
        self.requests, self.seen = [], []
        self.faults, self.called = {}, []
        self.lock = threading.Lock()
        self.base = f'http://127.0.0.1:{self.server_port}'
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def read(self, service, handler, body):
        model = self.models[service]
        if service == 'lambda':
            return read_rest(model, handler.command, handler.path, body)
        if service == 'iam':
            return read_query(model, body)
        return read_target(model, handler.headers, body)

    def check(self, service, operation, parameters):
        model = self.models[service]
        shape = model['operations'][operation]['input']['shape']
        return check(model, shape, parameters, operation)

    def operations(self):
        return [r[1] for r in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind='application/json', **headers):
        body = body.encode()
        self.send_response(status)
        for name, value in {**headers, 'Content-Type': kind,
                            'Content-Length': len(body)}.items():
            self.send_header(name.replace('_', '-'), str(value))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, service, refused):
        if service == 'iam':
            error = to_xml({'Type': 'Sender', 'Code': refused.code,
                            'Message': refused.message})
            return self.answer(refused.status, f'<ErrorResponse><Error>{error}'
                               '</Error><RequestId>1</RequestId>'
                               '</ErrorResponse>', 'text/xml')
        return self.answer(refused.status, json.dumps(
            {'__type': refused.code, 'message': refused.message}),
            x_amzn_ErrorType=refused.code)

    def succeed(self, service, operation, result):
        if service == 'iam':
            return self.answer(200, f'<{operation}Response xmlns="https://'
                               f'iam.amazonaws.com/doc/2010-05-08/">'
                               f'<{operation}Result>{to_xml(result or {})}'
                               f'</{operation}Result></{operation}Response>',
                               'text/xml')
        status = self.server.models[service]['operations'][operation]['http'] \
            .get('responseCode', 200)
        if status == 204:
            self.send_response(204)
            return self.end_headers()
        return self.answer(status, '' if result is None else json.dumps(result))

    def handle_one(self):
        server = self.server
        length = int(self.headers.get('Content-Length', 0))
        body = self.rfile.read(length)
        scope = re.search(r'Credential=([^/]+)/\d+/([^/]+)/([^/]+)/',
                          self.headers.get('Authorization', ''))
        if not scope:
            return self.refuse('lambda', Refused(403, 'Forbidden', 'unsigned'))
        key, region, service = scope.groups()
        if not signature_is_right(server.secrets.get(key, ''), self.command,
                                  self.path, self.headers, body):
            return self.refuse(service, Refused(
                403, 'InvalidSignatureException', 'the signature is wrong'))
        if self.path.partition('?')[0] == '/':
            if service == 'lambda':
                server.called.append((self.path, body))
                return self.answer(200, 'called\n', 'text/plain')
        with server.lock:
            try:
                return self.operate(service, region, body)
            except Exception:
                server.requests.append(
                    [service, None, {}, [traceback.format_exc()], None])
                raise

    def operate(self, service, region, body):
        server = self.server
        operation, parameters = server.read(service, self, body)
        wrong = ['no such operation'] if operation is None \
            else server.check(service, operation, parameters)
        faults = server.faults.get(operation, [])
        fault = faults.pop(0) if faults else None
        record = [service, operation, parameters, wrong, fault]
        server.requests.append(record)
        server.seen.append(record)
        try:
            if wrong:
                raise Refused(400, 'ValidationException', '; '.join(wrong))
            if fault == 'before':
                return self.cut()
            if fault == 'throttle':
                raise Refused(*THROTTLED[service], 'Rate exceeded')
            if fault == '500':
                raise Refused(500, 'ServiceException', 'An error occurred')
            result = getattr(server.account, operation)(parameters, region)
        except Refused as refused:
            record[4] = refused.code
            return self.refuse(service, refused)
        if fault == 'after':
            return self.cut()
        return self.succeed(service, operation, result)

    def cut(self):
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = handle_one
