"""PostgreSQL asked in this process, by the library that the services use: a psql for each question costs more than most answers do."""
import ctypes
import functools
import select
import time

TEXTS = ctypes.c_char_p
POINTER = ctypes.c_void_p
FUNCTIONS = {
    "PQconnectdb": (POINTER, TEXTS), "PQstatus": (ctypes.c_int, POINTER), "PQerrorMessage": (TEXTS, POINTER), "PQfinish": (None, POINTER),
    "PQping": (ctypes.c_int, TEXTS), "PQsocket": (ctypes.c_int, POINTER), "PQsendQuery": (ctypes.c_int, POINTER, TEXTS),
    "PQconsumeInput": (ctypes.c_int, POINTER), "PQisBusy": (ctypes.c_int, POINTER), "PQgetResult": (POINTER, POINTER), "PQclear": (None, POINTER),
    "PQresultStatus": (ctypes.c_int, POINTER), "PQresultErrorMessage": (TEXTS, POINTER), "PQntuples": (ctypes.c_int, POINTER),
    "PQnfields": (ctypes.c_int, POINTER), "PQgetvalue": (TEXTS, POINTER, ctypes.c_int, ctypes.c_int),
}
CONNECTION_OK = 0
EMPTY, COMMAND_OK, TUPLES_OK = range(3)
PING_OK = 0


@functools.cache
def library():
    found = ctypes.CDLL("libpq.so.5")
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def accepts(url):
    """Whether the server takes connections now."""
    return library().PQping(url.encode()) == PING_OK


def ask(url, text, deadline_s):
    """All rows that the statements answer with, as `psql -A -t` prints them. The statements are one transaction, as psql's -c has it."""
    pq = library()
    connection = pq.PQconnectdb(url.encode())
    try:
        assert pq.PQstatus(connection) == CONNECTION_OK, pq.PQerrorMessage(connection).decode()
        assert pq.PQsendQuery(connection, text.encode()) == 1, pq.PQerrorMessage(connection).decode()
        return "".join(_results(pq, connection, text, time.monotonic() + deadline_s))
    finally:
        pq.PQfinish(connection)


def _results(pq, connection, text, end):
    while True:
        while pq.PQisBusy(connection):
            ready, _, _ = select.select([pq.PQsocket(connection)], [], [], max(0, end - time.monotonic()))
            assert ready, f"no answer from PostgreSQL in time to {text}"
            assert pq.PQconsumeInput(connection) == 1, pq.PQerrorMessage(connection).decode()
        result = pq.PQgetResult(connection)
        if not result:
            return
        try:
            status = pq.PQresultStatus(result)
            assert status in (EMPTY, COMMAND_OK, TUPLES_OK), f"{pq.PQresultErrorMessage(result).decode()}{text}"
            for row in range(pq.PQntuples(result)):
                yield "|".join(pq.PQgetvalue(result, row, field).decode() for field in range(pq.PQnfields(result))) + "\n"
        finally:
            pq.PQclear(result)
