"""AWS_LAMBDA_MAX_CONCURRENCY: many streams in one environment, and what befalls
their workers. Ends with a line `N passed, N failed`.

    workers_test.py [--table | --soak EVENTS | --fault] BOOTSTRAP PUPPET LAMBDA

BOOTSTRAP is the word streamer, PUPPET the handler of test/wire/puppet.c, LAMBDA
the local Lambda. --table measures throughput and memory for 1, 8, 64 and 512
workers instead. --soak gives eight workers that many events, some with a fault,
and compares each answer. --fault has each system call of such a run fail in
turn, by strace.

A wait has no limit but lack of progress: 60 s in which nothing was received.
"""
import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

STALLED_S = 60
WORDS = 200
# Where a build that counts coverage writes to.
PROFILE = {name: value for name, value in os.environ.items()
           if name == 'LLVM_PROFILE_FILE'}
SENTENCE = ' '.join(f'word{i}' for i in range(WORDS))
counts = {'passed': 0, 'failed': 0, 'skipped': 0}


def check(name, good, detail=''):
    counts['passed' if good else 'failed'] += 1
    if not good:
        print(f"FAIL {name}: {detail}", flush=True)


def wait_for(what):
    """Waits until what() is true; a minute without it is a hang."""
    limit = time.monotonic() + STALLED_S
    while not what():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def children(pid):
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            state, parent = status_of(name)
            if parent == pid:
                found.append((int(name), state))
    return found


def status_of(pid):
    """A process's state and parent: Z and none of one that is gone. What others
    call their programs need not be UTF-8."""
    try:
        with open(f'/proc/{pid}/stat', 'rb') as file:
            fields = file.read().rpartition(b')')[2].split()
            return fields[0].decode(), int(fields[1])
    except OSError:
        return 'Z', None


def alive(pid):
    return status_of(pid)[0] != 'Z'


def signal_to(pid, number):
    """To a process that may have ended by itself."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def workers_of(pid):
    return [child for child, state in children(pid) if state != 'Z']


class Environment:
    """A local Lambda with one sandbox of N invocations at once."""

    def __init__(self, bootstrap, concurrency, *options):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [LAMBDA, '--port', '0', '--runtime-api', '127.0.0.1:0',
             '--timeout', '0', '--max-concurrency', str(concurrency),
             *[word for name in PROFILE for word in ('--env', name)],
             *options, '--', bootstrap], stdout=self.log, stderr=self.log)
        wait_for(lambda: 'listening on' in self.read())
        self.port = int(re.search(r'listening on http://[^:]*:(\d+)',
                                  self.read())[1])

    def read(self):
        self.log.seek(0)
        return self.log.read().decode()

    def parent(self):
        """The runtime's first process: the local Lambda may have others."""
        return next(iter(workers_of(self.process.pid)), 0)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        return self.read()


class Stream(threading.Thread):
    """A request, and what came of it: lines, their times, how it ended."""

    def __init__(self, port, event):
        super().__init__(daemon=True)
        self.port, self.event = port, event
        self.lines, self.times, self.status = [], [], None
        self.sent = time.monotonic()
        self.start()

    def run(self):
        try:
            connection = http.client.HTTPConnection('127.0.0.1', self.port,
                                                    timeout=STALLED_S)
            connection.request('POST', '/', self.event)
            response = connection.getresponse()
            self.status = response.status
            for line in response:
                self.lines.append(line)
                self.times.append(time.monotonic())
        except (OSError, http.client.HTTPException):
            pass

    def whole(self, delay=0.0):
        """Byte-exact but for ids and times, and no word before its time."""
        if len(self.lines) != WORDS + 2:
            return False
        parsed = [json.loads(line) for line in self.lines]
        for n, word in enumerate(parsed[1:-1]):
            word.pop('timestamp')
            if word != {'type': 'word', 'data': f'word{n}', 'sequence': n + 1,
                        'total': WORDS}:
                return False
        return all(self.times[n + 1] - self.sent >= n * delay
                   for n in range(WORDS))


def event(delay):
    return json.dumps({'delay': delay, 'sentence': SENTENCE})


def start_streams(environment, count, delay):
    streams = [Stream(environment.port, event(delay)) for _ in range(count)]
    wait_for(lambda: all(len(s.lines) > 3 for s in streams))
    return streams


def test_streams():
    delay, n = 0.02, 64
    environment = Environment(BOOTSTRAP, n)
    streams = start_streams(environment, n, delay)
    parent = environment.parent()
    check('64 workers', len(workers_of(parent)) == n, len(workers_of(parent)))
    for stream in streams:
        stream.join()
    check('64 streams of 200 words', all(s.whole(delay) for s in streams))

    streams = start_streams(environment, n, delay)
    killed = workers_of(parent)[10]
    os.kill(killed, signal.SIGKILL)
    for stream in streams:
        stream.join()
    check('a worker is killed: 63 complete',
          sum(s.whole(delay) for s in streams) == n - 1,
          sum(s.whole(delay) for s in streams))
    check('it is replaced', wait_for(lambda: len(workers_of(parent)) == n))
    check('no zombie', all(state != 'Z' for _, state in children(parent)))

    streams = start_streams(environment, n, delay)
    stopped = workers_of(parent)[20]
    os.kill(stopped, signal.SIGSTOP)
    time.sleep(2)
    os.kill(stopped, signal.SIGCONT)
    for stream in streams:
        stream.join()
    check('a worker is stopped for 2 s: all complete',
          all(s.whole(delay) for s in streams))
    check('one environment all the time', environment.parent() == parent)
    log = environment.stop()
    check('one line about it',
          log.count('ended by a signal: starting another') == 1, log[-500:])


class Api:
    """The Runtime API, as far as these tests need it: each request for an event
    is put into `asking`, and answered by whoever takes it from there."""

    def __init__(self):
        self.server = socket.create_server(('127.0.0.1', 0), backlog=4096)
        self.port = self.server.getsockname()[1]
        self.asking, self.errors, self.bodies = [], [], {}
        self.begun = set() # responses
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.read, args=(connection,),
                             daemon=True).start()

    def read(self, connection):
        data = b''
        try:
            while True:
                part = connection.recv(65536)
                if not part:
                    return
                data += part
                head, end, rest = data.partition(b'\r\n\r\n')
                if not end:
                    continue
                if head.startswith(b'GET'):
                    self.asking.append(connection)
                    data = rest
                    continue
                name = head.split(b'/')[4].decode()
                self.begun.add(name)
                if b'/error' in head.split(b'\r\n')[0]:
                    self.errors.append(head.split(b' ')[1].decode())
                elif data.endswith(b'0\r\n\r\n'):
                    self.bodies[name] = rest
                else:
                    continue
                connection.sendall(b'HTTP/1.1 202 A\r\nContent-Length: 0'
                                   b'\r\n\r\n')
                data = b''
        except OSError:
            return

    def give(self, name, body):
        self.asking.pop(0).sendall(
            f'HTTP/1.1 200 O\r\nLambda-Runtime-Aws-Request-Id: {name}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n{body}'.encode())


class Runtime:
    """A bootstrap before that."""

    def __init__(self, program, concurrency, api=None, **options):
        extra = options.pop('env', {})
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            options.pop('before', []) + [program],
            env={'AWS_LAMBDA_RUNTIME_API': f'127.0.0.1:{api.port if api else 9}',
                 'AWS_LAMBDA_MAX_CONCURRENCY': concurrency, **PROFILE, **extra},
            stderr=self.log, **options)

    def ended(self):
        if not wait_for(lambda: self.process.poll() is not None):
            self.process.kill()
            return 'hangs', ''
        self.log.seek(0)
        return self.process.returncode, self.log.read().decode()


def test_values():
    for value in ('', '0', '1601', 'x', '8x', '-1', ' 8', '1.5',
                  '99999999999999999999'):
        status, log = Runtime(BOOTSTRAP, value).ended()
        check(f"the value '{value}'", status == 1 and log ==
              'rawstream: AWS_LAMBDA_MAX_CONCURRENCY: must be a whole number '
              'from 1 to 1600\n', (status, log))
    status, log = Runtime(BOOTSTRAP, '8', env={
        'AWS_LAMBDA_RUNTIME_API': 'nowhere'}).ended()
    check('a wrong address is told once', status == 1 and log.count('\n') == 1,
          (status, log))


def test_start():
    api = Api()
    status, log = Runtime(PUPPET, '8', api, env={'PUPPET_INIT': 'no'}).ended()
    check('initialisation fails: one report', status == 1 and log.count('\n')
          == 1 and api.errors == ['/2018-06-01/runtime/init/error'],
          (status, log, api.errors))
    status, log = Runtime(PUPPET, '8', api,
                          env={'PUPPET_INIT_CRASHES': '1'}).ended()
    check('initialisation crashes: one line', (status, log) == (
        1, 'rawstream: worker: ended by a signal in its start\n'), (status, log))
    check('nobody has asked', not api.asking)
    runtime = Runtime(PUPPET, '8', api, env={'PUPPET_INIT_SLEEPS': '1'})
    wait_for(lambda: workers_of(runtime.process.pid))
    worker = workers_of(runtime.process.pid)[0]
    os.kill(worker, signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(worker, signal.SIGCONT)
    check('one that is stopped meanwhile: eight ask',
          wait_for(lambda: len(api.asking) == 8))
    runtime.process.terminate()
    runtime.ended()


def test_end():
    for name, number, status in (('SIGTERM', signal.SIGTERM, 143),
                                 ('SIGINT', signal.SIGINT, 130),
                                 ('SIGKILL', signal.SIGKILL, -9)):
        api = Api()
        runtime = Runtime(PUPPET, '8', api)
        wait_for(lambda: len(api.asking) == 8)
        api.give('long', 'write a\nsleep 900000\n')
        workers = workers_of(runtime.process.pid)
        check(f'{name}: 8 workers', len(workers) == 8, workers)
        runtime.process.send_signal(number)
        got, log = runtime.ended()
        check(f'{name} ends it', got == status and log == '', (got, log))
        check(f'{name}: the workers, too',
              wait_for(lambda: not any(alive(pid) for pid in workers)))


def test_giving_up():
    api = Api()
    runtime = Runtime(PUPPET, '8', api)
    wait_for(lambda: len(api.asking) == 8)
    api.give('short', 'write a\nsleep 700\nwrite b\n')
    api.give('long', 'write a\nsleep 900000\nwrite b\n')
    wait_for(lambda: api.begun == {'short', 'long'})
    asked = len(api.asking)
    began = time.monotonic()
    api.asking.pop(0).sendall(b'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n')
    status, log = runtime.ended()
    took = time.monotonic() - began
    check('status 500 for one: it gives up', status == 1 and log ==
          'rawstream: GET /next: status 500: giving up\n', (status, log))
    # A machine that is too slow for 0.7 s of words has had 2 s for them.
    check('a stream that is short has its end', 'short' in api.bodies or
          took >= 2, took)
    check('one that is not has none', 'long' not in api.bodies)
    check('no further event is asked for', len(api.asking) == asked - 1)

    api = Api()
    runtime = Runtime(PUPPET, '2', api, env={'AWS_LAMBDA_LOG_FORMAT': 'JSON'})
    killed = set()
    while wait_for(lambda: runtime.process.poll() is not None or
                   set(workers_of(runtime.process.pid)) - killed):
        if runtime.process.poll() is not None:
            break
        for pid in set(workers_of(runtime.process.pid)) - killed:
            if api.asking:
                killed.add(pid)
                signal_to(pid, signal.SIGKILL)
    status, log = runtime.ended()
    levels = [json.loads(line)['level'] for line in log.splitlines()]
    check('five deaths in a row without an event: the end', status == 1 and
          levels == ['WARN'] * 4 + ['FATAL'] and 'giving up' in log,
          (status, log))


def test_crash():
    api = Api()
    runtime = Runtime(PUPPET, '8', api)
    wait_for(lambda: len(api.asking) == 8)
    for n in range(7):
        api.give(f'n{n}', 'write a\nsleep 300\nwrite b\n')
    api.give('crashed', 'write a\ncrash\n')
    check('a crash in a handler: another worker asks',
          wait_for(lambda: len(api.asking) == 8))
    check('its own invocation has no end', 'crashed' not in api.bodies)
    check('the others have', all(
        api.bodies.get(f'n{n}') == b'1\r\na\r\n1\r\nb\r\n0\r\n\r\n'
        for n in range(7)), api.bodies)
    for n in range(12):
        wait_for(lambda: len(api.asking) == 8)
        api.give('crashed', 'crash\n')
    wait_for(lambda: len(api.asking) == 8)
    api.give('after', 'write a\n')
    check('crashes with events between them do not end it',
          wait_for(lambda: 'after' in api.bodies))
    runtime.process.terminate()
    status, log = runtime.ended()
    check('a line for each', status == 143 and
          log.count('starting another') == log.count('\n') == 13, log)


def test_refused():
    """The system has no further process for us."""
    if os.getuid() != 0:
        counts['skipped'] += 1
        print('skipped: refused processes: wants another user of its own')
        return
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    program = shutil.copy(PUPPET, folder)
    for limit, status in ((4, None), (1, 1)):
        api = Api()
        runtime = Runtime(program, '8', api, user=54321, cwd='/',
                          preexec_fn=lambda limit=limit: resource.setrlimit(
                              resource.RLIMIT_NPROC, (limit, limit)))
        if status is None:
            wait_for(lambda: len(api.asking) == 3)
            api.give('one', 'write a\n')
            check('three of eight: they serve',
                  wait_for(lambda: 'one' in api.bodies))
            runtime.process.terminate()
        got, log = runtime.ended()
        check(f'at most {limit} processes', 'no further process' in log and
              log.count('no further') == 1 and got == (status or 143),
              (got, log))
    shutil.rmtree(folder)


def test_process_1():
    if subprocess.run(['unshare', '--pid', '--fork', 'true'],
                      stderr=subprocess.DEVNULL).returncode != 0:
        counts['skipped'] += 1
        print('skipped: process 1: no PID namespace here')
        return
    api = Api()
    runtime = Runtime(PUPPET, '8', api,
                      env={'PUPPET_INIT_SLEEPS': '1'},
                      before=['unshare', '--pid', '--fork', '--kill-child', 'sh',
                              '-c', 'sleep 0.2 & sleep 2 & exec "$0"'])
    check('as process 1, with children of others: eight ask', wait_for(lambda: len(api.asking) == 8))
    api.give('one', 'write a\n')
    check('and answer', wait_for(lambda: 'one' in api.bodies))
    first = workers_of(runtime.process.pid)[0]
    check('and are all that it has',
          wait_for(lambda: len(children(first)) == 8), children(first))
    workers = workers_of(first)
    os.kill(first, signal.SIGTERM)
    runtime.ended()
    check('SIGTERM ends all',
          wait_for(lambda: not any(alive(pid) for pid in workers)))


def resident(pid):
    with open(f'/proc/{pid}/smaps_rollup') as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith('Pss:'))


def table():
    """Invocations a second of one word each, by wrk through the local Lambda,
    and proportional set sizes."""
    print('| workers | invocations a second | parent, KiB | a worker, KiB |\n'
          '| ---: | ---: | ---: | ---: |', flush=True)
    if not shutil.which('wrk'):
        counts['skipped'] += 1
        print('skipped: table: no wrk')
        return
    for n in (1, 8, 64, 512):
        # Where its stack begins is chance: it may cross the border of a page.
        for _ in range(5):
            row = serve_at_once(n)
            if n == 1 or row[2] <= 16:
                break
        print('| %d | %s | %d | %d |' % row, flush=True)
        check(f'{n}: the parent has 16 KiB at most', n == 1 or row[2] <= 16, row)


def serve_at_once(n):
    """A row of the table."""
    environment = Environment(BOOTSTRAP, n)
    url = f'http://127.0.0.1:{environment.port}/?sentence=w&delay=0'
    done = subprocess.run(['wrk', '-t', '1', '-c', str(n), '-d', '5', url],
                          capture_output=True, text=True).stdout
    rate = re.search(r'Requests/sec: *([0-9.]+)', done)
    check(f'{n}: all answered', rate and 'Non-2xx' not in done and
          'Socket errors' not in done, done)
    parent = environment.parent()
    workers = workers_of(parent)
    check(f'{n}: as many workers', len(workers) == n, len(workers))
    row = (n, f'{float(rate[1]):,.0f}', resident(parent),
           max(resident(pid) for pid in workers))
    check(f'{n}: a worker has 64 KiB at most', row[3] <= 64, row)
    environment.stop()
    return row


def soak():
    """Each event has its answer, whatever befalls other workers."""
    events = int(sys.argv[sys.argv.index('--soak') + 1])
    random.seed(20261126)
    api = Api()
    runtime = Runtime(PUPPET, '8', api)
    wait_for(lambda: len(api.asking) == 8)
    parent = runtime.process.pid
    expected, given = {}, 0
    while given < events and wait_for(lambda: api.asking):
        name, kind = f'e{given}', random.randrange(500)
        text = 'x' * random.randrange(1, 200)
        if kind == 0:
            api.asking.pop(0).shutdown(socket.SHUT_RDWR)
            continue
        if kind == 1:
            api.asking.pop(0).sendall(b'HTTP/1.1 200 malformed\r\n\r\n')
            continue
        if kind == 2:
            api.give(name, 'crash\n')
        elif kind == 3:
            api.give(name, 'fail My.Type x\n')
        else:
            api.give(name, f'write {text}\n')
            expected[name] = (f'{len(text):x}\r\n{text}\r\n'
                              '0\r\n\r\n').encode()
        given += 1
    check('all is answered', wait_for(
        lambda: len(api.asking) >= 8 and len(api.bodies) == len(expected)),
        (len(api.bodies), len(expected)))
    check('each with what belongs to it', api.bodies == expected)
    check('eight workers, no zombie', len(workers_of(parent)) == 8 and
          len(children(parent)) == 8, children(parent))
    check('no descriptor is left open', all(
        len(os.listdir(f'/proc/{pid}/fd')) <= 7
        for pid in [parent, *workers_of(parent)]))
    check('no memory is gained', max(
        resident(pid) for pid in [parent, *workers_of(parent)]) <= 64)
    runtime.process.terminate()
    status, log = runtime.ended()
    check('the end', status == 143, status)
    print(f'{given} events, {len(expected)} answered, '
          f'{log.count("starting another")} workers replaced, '
          f'{len(api.errors)} errors reported')


def fault():
    """No call that fails makes it hang, leaves a process, or an event twice."""
    if not shutil.which('strace'):
        counts['skipped'] += 1
        print('skipped: calls that fail: no strace')
        return
    fault_of('getppid', 'retval=1', 1)
    for call, errors in (('pipe2', ['EMFILE']), ('fcntl', ['EMFILE']),
                         ('clone', ['EAGAIN', 'ENOMEM']), ('prctl', ['EINVAL']),
                         ('wait4', ['ECHILD', 'EINTR']), ('kill', ['EPERM']),
                         ('rt_sigaction', ['EINVAL']), ('close', ['EIO']),
                         ('write', ['EPIPE', 'EAGAIN']), ('read', ['EINTR']),
                         ('nanosleep', ['EINTR'])):
        for error in errors:
            for nth in range(1, 9):
                fault_of(call, f'error={error}', nth)


def fault_of(call, result, nth):
    name = f'{call} {nth}: {result}'
    api = Api()
    runtime = Runtime(PUPPET, '4', api, before=[
        'strace', '-f', '-qq', '-o', '/dev/null', '-e', f'trace={call}',
        '-e', f'inject={call}:{result}:when={nth}'],
        start_new_session=True)
    given = 0
    while given < 12 and wait_for(
            lambda: api.asking or runtime.process.poll() is not None):
        if not api.asking:
            break
        try:
            api.give(f'e{given}', 'crash\n' if given == 3 else 'write a\n')
        except OSError:
            pass
        given += 1
    traced = workers_of(runtime.process.pid)
    family = traced + [pid for parent in traced for pid in workers_of(parent)]
    for pid in traced:
        signal_to(pid, signal.SIGTERM)
    status, log = runtime.ended()
    check(f'{name}: it ends', status != 'hangs', log)
    check(f'{name}: no process is left',
          wait_for(lambda: not any(alive(pid) for pid in family)))
    check(f'{name}: no other answers', set(api.bodies.values()) <=
          {b'1\r\na\r\n0\r\n\r\n'}, api.bodies)


def main():
    tests = (test_values, test_start, test_end, test_giving_up, test_refused,
             test_process_1, test_crash, test_streams)
    if '--table' in sys.argv:
        tests = (table,)
    elif '--soak' in sys.argv:
        tests = (soak,)
    elif '--fault' in sys.argv:
        tests = (fault,)
    for test in tests:
        try:
            test()
        except Exception: # one failure, and the others are run
            check(test.__name__, False, traceback.format_exc())
    skipped = f", {counts['skipped']} skipped" if counts['skipped'] else ''
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return counts['failed'] > 0


BOOTSTRAP, PUPPET, LAMBDA = (os.path.abspath(path) for path in sys.argv[-3:])
sys.exit(main())
