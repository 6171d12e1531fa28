"""Debian's AWS CLI, loaded once for the hundreds of calls of the tests.

    cli.py SOCKET            waits for calls, each of which is a process of its
                             own, until its standard input ends
    cli.py SOCKET ARGUMENTS  is as `aws ARGUMENTS`

A call has the arguments, environment, directory and descriptors of its caller.
Only what Python has imported is shared.
"""
import json
import os
import select
import socket
import sys


def serve(path):
    from awscli import clidriver  # which makes its botocore to be found
    from botocore import loaders
    # What each call would import for itself.
    import awscli.formatter, awscli.handlers, awscli.text, botocore.httpsession
    import signal

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while 0 not in select.select([listener, 0], [], [])[0]:
            call, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                call.send(bytes([run(call, clidriver, loaders)]))
                os._exit(0)
            call.close()


def run(call, clidriver, loaders):
    """In the process of one call; its exit status."""
    text, descriptors, _, _ = socket.recv_fds(call, 1 << 20, 3)
    arguments, directory, environment = json.loads(text)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.chdir(directory)
    # What awscli set when it was imported, and what it took from HOME then.
    environment['AWS_DATA_PATH'] = os.environ['AWS_DATA_PATH']
    os.environ.clear()
    os.environ.update(environment)
    loaders.Loader.CUSTOMER_DATA_PATH = os.path.expanduser('~/.aws/models')
    sys.argv = ['aws', *arguments]
    try:
        status = clidriver.main()
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


def call(path, arguments):
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        text = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [text], [0, 1, 2])
        return (server.recv(1) or b'\xff')[0]


if __name__ == '__main__':
    if sys.argv[2:]:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
