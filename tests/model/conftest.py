"""Prints what spin did, below the results, and keeps it on request."""

import record


def pytest_addoption(parser):
    parser.addoption("--record", action="store_true", help="ask spin everything, and write proven.txt when all is well")


def pytest_sessionfinish(session, exitstatus):
    from test_settling import ASKED

    if session.config.getoption("--record") and exitstatus == 0:
        record.write(ASKED)


def pytest_terminal_summary(terminalreporter):
    from test_settling import ASKED, KNOWN

    if ASKED or KNOWN:
        terminalreporter.section("spin: tests/model/settling.pml")
    for line in ASKED:
        terminalreporter.write_line(line)
    if KNOWN:
        terminalreporter.write_line(f"{len(KNOWN)} answers of proven.txt: model and checker are the same")
