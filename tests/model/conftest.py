"""Prints what spin did, below the results."""


def pytest_terminal_summary(terminalreporter):
    from test_settling import TABLE

    if TABLE:
        terminalreporter.section("spin: tests/model/settling.pml")
    for line in TABLE:
        terminalreporter.write_line(line)
