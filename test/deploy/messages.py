"""The troubleshooting table of README.md and the messages of the sources.

    messages.py [--list]

Every message that the runtime and its word streamer can print stands in the
second column of the table "What the runtime says", and nothing else does. A
message is a string literal of the product in which two words follow each other,
or that says why, or an error type; usage texts, heads of HTTP and assembly are
none.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SOURCES = ('bootstrap.c', 'http.c', 'json.c', 'handler.c')
TABLE = '### What the runtime says'
# Literals that are sent or shown, but tell of no fault.
NO_MESSAGE = [r'usage: ', r'^ *--', r'^Calls the handler', r'^In Lambda \(',
              r'^ {4}', r'\\r$', r'HTTP/1\.', r'^Hello this is', r'^Options ',
              r'^text/', r'-Type, ', r'^User-Agent', r'^\{?"',
              r'^(event|id): …$', r'/2018-06-01/', r'^[^A-Za-z]*$']
TOKEN = re.compile(r'''
    /\*.*?\*/ | //[^\n]* | ^[ \t]*\#(?:[^\n\\]|\\.)*
    | (?P<string> "(?:[^"\\\n]|\\.)*") | '(?:[^'\\]|\\.)*'
    | (?P<asm> __asm__ [^;]*;) | (?P<space> \s+) | .''',
    re.X | re.S | re.M)


def literals(text):
    """The string literals with their places; neighbours are one."""
    joined, start = '', None
    for token in TOKEN.finditer(text):
        if token['string']:
            start = token.start() if start is None else start
            joined += token['string'][1:-1]
        elif not token['space'] and not token[0].startswith(('/*', '//')):
            if joined:
                yield start, joined
            joined, start = '', None


def messages():
    """Each message, its conversions as `…`, and where it stands."""
    found = {}
    for name in SOURCES:
        with open(os.path.join(TOP, name)) as file:
            text = file.read()
        for start, literal in literals(text):
            line = text.count('\n', 0, start) + 1
            why = text[:start].rstrip().endswith('why =')
            for part in re.split(r'\\0|\\n', literal):
                part = part.replace('\\"', '"').replace('%%', '%')
                part = re.sub(r'%[-0-9.*]*(?:l|ll|z)?[a-z]', '…', part)
                words = re.search(r'[A-Za-z…]+[:,]? [a-zA-Z0-9…]+', part)
                kind = re.fullmatch(r'(Function|Runtime)\.[A-Z]\w+', part)
                if (words or kind or why) and not any(
                        re.search(p, part) for p in NO_MESSAGE):
                    found.setdefault(part.strip(' :'), f'{name}:{line}')
    return found


def told():
    """The literals in the second column of the table."""
    with open(os.path.join(HERE, 'README.md')) as file:
        text = file.read()
    rows = text.partition(TABLE)[2].partition('\n#')[0].splitlines()
    cells = [re.split(r'(?<!\\)\|', row)[2] for row in rows
             if row.startswith('|')][2:]
    return [code for cell in cells for code in re.findall(r'`([^`]+)`', cell)]


def main():
    found = messages()
    if '--list' in sys.argv:
        print(*(f'{where}: {text}' for text, where in found.items()), sep='\n')
        return 0
    rows, failed = told(), 0
    for text, where in found.items():
        if text not in rows:
            failed += 1
            print(f'FAIL {where}: README.md does not tell of: {text}')
    for row in rows:
        if row not in found:
            failed += 1
            print(f'FAIL README.md: nothing prints: {row}')
    passed = len(found) + len(rows) - failed
    print(f'{passed} passed, {failed} failed')
    return failed > 0 or not found


if __name__ == '__main__':
    sys.exit(main())
