"""The checks find what they are for: each is shown a small bad tree, and the same tree put right."""

import pathlib

import checks
import pytest

STYLE = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"


@pytest.fixture
def plant(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def function_of(lines):
    return "static int long_one(int a,\n                    int b) {\n" + "    a += b;\n" * (lines - 4) + "    return a;\n}\n"


# (check, file, bad text, good text)
CASES = [
    (checks.check_layers, "src/base/a.c", '#include "http/a.h"\n', '#include "base/a.h"\n#include <stdio.h>\n'),
    (checks.check_layers, "src/http/a.c", '#include "auth/token.h"\n', '#include "base/text.h"\n'),
    (checks.check_layers, "src/auth/a.c", '  #  include "store/store.h"\n', '#include "auth/token.h"\n'),
    (checks.check_layers, "src/store/sqlite/a.c", '#include "http/a.h"\n', '#include "store/store.h"\n'),
    (checks.check_layers, "src/service/a.c", '#include "wallet/core/ledger.h"\n', '#include "http/server.h"\n'),
    (checks.check_layers, "src/wallet/a.c", '#include "discount/core/campaign.h"\n', '#include "service/service.h"\n'),
    (checks.check_layers, "src/discount/a.c", '#include "wallet/core/ledger.h"\n', '#include "store/store.h"\n'),
    (checks.check_layers, "src/crowd/a.c", '#include "wallet/core/ledger.h"\n', '#include "http/client.h"\n'),
    (checks.check_problem_pages, "src/http/a.c", 'const struct problem problem_a = {409, "a", "A"};\n',
     'const struct problem problem_a = {409, "a", "A"};\n    {&problem_a, "It "\n     "happened.", "Do \\"this\\"."},\n'),
    (checks.check_problem_pages, "src/http/a.c", 'const struct problem problem_a = {409, "a", "A"};\n    {&problem_a, "No sentence", "Do this."},\n', None),
    (checks.check_problem_pages, "src/http/a.c", 'const struct problem problem_a = {409, "a", "A"};\n    {&problem_a, "a < b.", "Do this."},\n', None),
    (checks.check_layers, "src/wallet/a.h", '#include "ledger.h"\n', '#include "wallet/core/ledger.h"\n'),
    (checks.check_layers, "src/extra/a.h", "int a;\n", None),
    (checks.check_layers, "tests/unit/http/test_a.c", '#include "store/store.h"\n', '#include "http/a.h"\n'),
    (checks.check_layers, "tests/unit/base/test_a.c", '#include "absent.h"\n', '#include "test_a.c"\n'),
    (checks.check_layers, "src/discount/a.c", '#include "wallet_schema.h"\n', '#include "discount_schema.h"\n'),
    (checks.check_third_party, "src/http/a.c", "#include <http_parser.h>\n", "#include <curl/curl.h>\n"),
    (checks.check_third_party, "src/store/a.c", "#include <sqlite3.h>\n", "#include <stdio.h>\n"),
    (checks.check_third_party, "sim/disk.c", "#include <sqlite3.h>\n", "#include <stdio.h>\n"),
    (checks.check_third_party, "src/wallet/a.c", "#include <openssl/evp.h>\n", "#include <string.h>\n"),
    (checks.check_third_party, "tests/unit/http/test_a.c", "#include <sodium.h>\n", "#include <cmocka.h>\n"),
    (checks.check_third_party, "src/http/b.c", "#include <cmocka.h>\n", "#include <curl/curl.h>\n"),
    (checks.check_pure_cores, "src/wallet/core/ledger.c", '#include "store/store.h"\n', '#include "wallet/core/ledger.h"\n#include "base/money.h"\n'),
    (checks.check_pure_cores, "src/wallet/core/hold.h", "#include <time.h>\n", '#include <stdint.h>\n#include "wallet/core/ledger.h"\n'),
    (checks.check_pure_cores, "src/discount/core/campaign.c", '#include "base/log.h"\n', '#include "discount/core/set.h"\n'),
    (checks.check_pure_cores, "src/discount/core/campaign.c", '#include "discount/board.h"\n', '#include "base/money.h"\n'),
    (checks.check_pure_cores, "src/discount/core/campaign.c", "int a = time(NULL);\n", "int a = starts_time(b); /* time(NULL) */\n"),
    (checks.check_sql, "src/http/a.c", 'int a = ask("SELECT 1");\n', 'int a = ask("DELETE", "select"); /* "SELECT 1" */\n'),
    (checks.check_sql, "src/service/a.c", '    "  ON CONFLICT (id) DO NOTHING"\n', '    "on conflict"\n'),
    (checks.check_sql, "src/service/a.c", "#include <libpq-fe.h>\n", '#include "store/batch.h"\n'),
    (checks.check_sql, "src/crowd/a.c", 'int a = ask("UPDATE user SET name = $1");\n', 'int a = say("UPDATE failed");\n'),
    (checks.check_gone, "src/auth/a.c", "cjose_jwk_t *a;\n", "/* cjose was here */\n"),
    (checks.check_gone, "src/base/a.c", "if (PLANTED(FORGETS)) return;\n", "if (planted) return;\n"),
    (checks.check_money, "src/wallet/core/a.c", "a->balance_minor += b;\n", "CHECK(result_is_ok(money_add(a, b, &c)));\n"),
    (checks.check_money, "src/discount/core/a.c", "int64_t a = b - c->amount_minor;\n", "if (a->amount_minor > 0 && b->amount_minor >= 0) call(-1);\n"),
    (checks.check_banned_calls, "src/base/a.c", "int a(void) { strcpy(b, c); }\n", 'int a(void) { call("strcpy("); } // sprintf(x)\n'),
    (checks.check_banned_calls, "src/base/a.c", "    goto end;\n", "/* goto end; */\n"),
    (checks.check_banned_calls, "tests/unit/base/a.c", "int b = atoi(c);\n", "int b = my_atoi(c);\n"),
    (checks.check_no_double, "src/wallet/core/ledger.c", "double balance;\n", "int64_t balance; /* not a double */\n"),
    (checks.check_no_double, "src/discount/core/campaign.h", "float credit;\n", "int64_t credit;\n"),
    (checks.check_file_sizes, "src/base/a.c", "int a;\n" * 651, "int a;\n" * 650),
    (checks.check_file_sizes, "tests/api/test_a.py", "a = 1\n" * 651, "a = 1\n" * 650),
    (checks.check_function_sizes, "src/base/a.c", function_of(73), function_of(72)),
    (checks.check_function_sizes, "src/base/a.c", "int b;\n" + function_of(73), function_of(60) + function_of(60)),
    (checks.check_names, "src/base/text_util.c", "", None),
    (checks.check_names, "src/base/common.h", "", None),
    (checks.check_names, "tests/api/helpers.py", "", None),
    (checks.check_open_work, "src/base/a.c", "/* TO" + "DO: later */\n", "/* toddler */\n"),
    (checks.check_open_work, "docs/a.md", "FIX" + "ME\n", "Fixed.\n"),
    (checks.check_open_work, "scripts/a", "cd /roo" + "t/here\n", "cd ./roo" + "t/here\n"),
    (checks.check_build_entries, "src/base/lonely.c", "int a;\n", None),
    (checks.check_unit_tests, "tests/unit/base/test_ghost.c", "int a;\n", None),
    (checks.check_scripts, "run", "#!/usr/bin/env bash\nset -euo pipefail\n", None),  # not executable
    (checks.check_text_files, "docs/a.md", "blank \n", "blank\n"),
    (checks.check_text_files, "docs/a.md", "no end", "end\n"),
    (checks.check_text_files, "docs/a.md", "dos\r\n", "unix\n"),
]


@pytest.mark.parametrize("check, name, bad, good", CASES, ids=lambda value: value if isinstance(value, str) and "/" in value[:20] else "")
def test_check_finds_the_fault_and_only_that(plant, check, name, bad, good):
    faults = check(plant({"src/.keep": "", "tests/unit/.keep": "", name: bad}))
    assert len(faults) == 1, faults
    assert faults[0].startswith(name + ":")
    if good is not None:
        assert check(plant({name: good})) == []


def test_every_check_is_shown_a_fault():
    assert {case[0] for case in CASES} | {checks.check_empty_folders, checks.check_circles} == set(checks.CHECKS)


def test_circles_are_found(plant, monkeypatch):
    monkeypatch.setattr(checks, "CIRCLES_LEFT", ())
    root = plant(
        {
            "src/http/low.h": "void low_do(void);\n",
            "src/http/low.c": '#include "http/low.h"\nvoid low_do(void) {\n}\n',
            "src/http/high.h": '#include "http/low.h"\nvoid high_do(int a);\n',
            "src/http/high.c": '#include "http/high.h"\nvoid high_do(int a) {\n    low_do();\n}\n',
        }
    )
    assert checks.check_circles(root) == []
    plant({"src/http/low.c": '#include "http/high.h"\nvoid low_do(void) {\n    high_do(1);\n}\n'})
    assert [fault.split(":")[0] for fault in checks.check_circles(root)] == ["src/http/high.c", "src/http/low.c"]
    monkeypatch.setattr(checks, "CIRCLES_LEFT", ("src/http/low", "src/http/high"))
    assert checks.check_circles(root) == []


def test_circles_by_a_declaration_are_found(plant):
    root = plant(
        {
            "src/auth/all.h": "void one_do(void);\nextern int two;\n",
            "src/auth/one.c": '#include "auth/all.h"\nvoid one_do(void) {\n    two++;\n}\n',
            "src/auth/deep/two.c": '#include "auth/all.h"\nint two;\nint unnamed(void) {\n    one_do();\n}\n',
        }
    )
    faults = checks.check_circles(root)
    assert len(faults) == 2 and "two" in faults[1] and "one_do" in faults[0], faults
    plant({"src/auth/one.c": '#include "auth/all.h"\nvoid one_do(void) {\n    other->two++;\n}\n'})
    assert checks.check_circles(root) == []


def test_circles_within_a_free_room_are_nobodys_business(plant):
    root = plant({"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'})
    assert checks.check_circles(root) == []


def test_the_list_of_circles_gets_shorter_only(plant):
    root = plant({"tests/house/checks.py": "", "src/base/a.h": ""})
    assert len(checks.check_circles(root)) == len(checks.CIRCLES_LEFT) > 0


def test_a_rule_sleeps_until_its_room_is_there(plant):
    planted = {"src/discount/a.c": 'int a = PLANTED(B);\nint c = rows_memory(d);\nint e = ask("SELECT 1");\n', "src/base/planted.h": ""}
    assert checks.check_gone(plant(planted)) == [] and checks.check_sql(plant(planted)) == []
    root = plant({"src/discount/tables.c": 'int a = ask("SELECT 1");\n', "src/store/sqlite/a.c": 'int a = ask("BEGIN IMMEDIATE");\n'})
    (root / "src/base/planted.h").unlink()
    assert len(checks.check_gone(root)) == 2 and len(checks.check_sql(root)) == 1


def test_build_entries_are_found(plant):
    files = {
        "src/base/a.c": "",
        "src/base/meson.build": "library('base', 'a.c')",
        "src/wallet/main.c": "",
        "meson.build": "executable('walletd', 'src/wallet/main.c')",
        "tests/unit/base/test_a.c": "",
        "tests/unit/base/meson.build": "unit_tests += [['base', 'a', base]]",
    }
    assert checks.check_build_entries(plant(files)) == []
    assert checks.check_unit_tests(plant(files)) == []
    assert len(checks.check_build_entries(plant({"src/base/meson.build": "library('base', 'aa.c')"}))) == 1


def test_a_unit_test_may_name_a_part_of_its_source(plant):
    root = plant({"src/store/sqlite/database.c": "", "tests/unit/store/test_database_faults.c": ""})
    assert checks.check_unit_tests(root) == []
    assert len(checks.check_unit_tests(plant({"tests/unit/store/test_databases.c": ""}))) == 1


def test_an_empty_folder_is_found(plant):
    root = plant({"src/base/a.c": "", "build/keep": ""})
    (root / "build" / "empty").mkdir()
    (root / "src" / "empty").mkdir()
    assert checks.check_empty_folders(root) == ["src/empty:1: nothing is in it"]


def test_scripts_must_stop_at_errors(plant):
    root = plant({"run": "#!/bin/bash\necho\n"})
    (root / "run").chmod(0o755)
    assert checks.check_scripts(root) == ["run:1: without set -euo pipefail"]


def test_layout_is_checked(plant):
    assert checks.check_layout(plant({"src/base/a.c": "int  a;\n"}), STYLE) == ["src/base/a.c:1"]
    assert checks.check_layout(plant({"src/base/a.c": "int a;\n"}), STYLE) == []


def test_folders_of_machines_are_left_out(plant):
    bad = "#include <jansson.h>\n"
    root = plant({"build/src/http/a.c": bad, "build-x/src/http/a.c": bad, "src/http/a.c": ""})
    assert checks.check_third_party(root) == []
