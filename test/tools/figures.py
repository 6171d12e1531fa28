#!/usr/bin/env python3
"""Whether the figures of the pages are what targets produce.

    figures.py [BENCH-OUTPUT]

Each row of the README's table of figures must be known here, and is compared
with what its command made: a size with the file, a figure of `make bench` or
`make workers` with the page that holds what they printed. Lines of handlers
are counted. With BENCH-OUTPUT, what a run of `make bench` printed now: its rows
are those of the page, in the same order. What was not built is skipped.
"""
import os
import re
import sys

counts = {'passed': 0, 'failed': 0, 'skipped': 0}


def check(name, said, found):
    if found is None:
        counts['skipped'] += 1
        print(f'skipped: {name}: not built')
    elif said == found:
        counts['passed'] += 1
    else:
        counts['failed'] += 1
        print(f'FAIL {name}: the page says {said}, but it is {found}')


def read(name):
    with open(name, encoding='utf-8') as file:
        return file.read()


def rows(text):
    """Cells of the rows of tables, without heads and rulers."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        if line.startswith('|') and not set(line) <= set('|-: '):
            found.append(cells)
    return found


def section(text, title):
    return text.split(f'\n## {title}\n')[1].split('\n## ')[0]


def size(name):
    return f'{os.path.getsize(name):,} bytes' if os.path.exists(name) else None


BENCH = rows(read('test/bench/README.md'))


def bench(name, column):
    return next((row[column] for row in BENCH if row[0] == name), 'no such row')


def workers():
    return next(f'{row[3]} KiB' for row in BENCH if row[0] == '8')


def calls():
    listed = re.search(r'```calls\n(.*?)```', read('test/binary.md'), re.S)
    return str(len(listed[1].split()))


README_FIGURES = {
    '`function.zip`, x86_64': lambda: size('function.zip'),
    'with `test/hello.c`': lambda: size('build/test/hello.zip'),
    '`function.zip`, arm64': lambda: size('build/arm64/function.zip'),
    'cold start, from exec to the first request':
        lambda: bench('cold start: exec to the first request', 1),
    'the same, as a multiple of the least possible':
        lambda: bench('cold start: exec to the first request', 3),
    'an invocation of one chunk, as a multiple':
        lambda: bench('hello, one chunk: an invocation', 3),
    'CPU of a word of 1,000, as a multiple':
        lambda: bench('1,000 words, each: CPU (floor reads the clock never)', 3),
    'system calls of an invocation': lambda: bench('hello: system calls', 1),
    'system calls of each further chunk':
        lambda: str(round((int(bench('1,002 messages: system calls', 1)) - 3) / 1002)),
    'memory, idle': lambda: bench('resident: idle', 1),
    'memory, after an event of 6 MiB':
        lambda: bench('resident: after an event of 6 MiB', 1),
    'memory of a worker beside seven others': workers,
    'different system calls, without workers': calls,
}


def main():
    readme = read('README.md')
    told = rows(section(readme, 'What it costs and weighs'))[1:]
    for name, figure, _ in told:
        produced = README_FIGURES.get(name, lambda: 'the figure of no target')
        check(f'README: {name}', figure, produced())
    for page, text in (('README', section(readme, 'Handlers to copy')),
                       ('test/handlers/README', read('test/handlers/README.md'))):
        for row in rows(text)[1:]:
            source = 'test/handlers/' + row[0].strip('`')
            check(f'{page}: lines of {row[0]}', row[1],
                  str(read(source).count('\n')))
    if len(sys.argv) > 1:
        printed = [row[0] for row in rows(re.sub(r'(?m)^ +', '', read(sys.argv[1])))]
        page = [row[0] for row in BENCH if len(row) == 6]
        # How many invocations and words there are depends on --quick.
        plain = [re.sub(r'[\d,]+000', 'N', name) for name in printed]
        check('test/bench/README: rows', [re.sub(r'[\d,]+000', 'N', name)
                                          for name in page], plain)
    print(', '.join(f'{n} {what}' for what, n in counts.items()))
    sys.exit(counts['failed'] > 0)


main()
