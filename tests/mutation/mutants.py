"""Finds what could be wrong in a C file, and writes one file that holds all of it: each fault sleeps behind `MUTANT(n)` until it is asked for.

So a tree is built once for all its mutants. Four kinds:
    negated     the condition of an if or a while
    dropped     a statement, a guard (`if (…) return …;`), one side of a && or ||
    moved       a whole number, or the right side of a <, <=, > or >=, by one
Left out is what no test could see: assertions and log lines with the conditions of those alone, planted faults, and the ways of giving memory back, which
are for the address sanitizer.
It reads text in the house's layout, not C; what does not compile is left out as well (`without_lines`).
"""

import dataclasses
import re

NUMBERS = 1 << 20  # a mutant has one of so many; MUTANTS_MAX in mutant.h
HEADER = '#include "mutant.h"\n#line 1\n'
COMMENT_OR_LITERAL = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^\s*#(?:[^\n\\]|\\\n|\\.)*', re.DOTALL | re.MULTILINE)
FUNCTION = re.compile(r"^[A-Za-z_][^;{}=]*?\b(\w+)\([^;{}]*\)[^;{}]*\{", re.MULTILINE)
DECLARATION = re.compile(
    r"(?:AT_END\(\w+\) |CLOSED_AT_END )?(?:static |const |volatile |_Thread_local )*"
    r"(?:(?:struct|enum|union) \w+|unsigned|signed|bool|char|int|long|void|double|\w+_t|FILE|DIR)\b(?: const)?(?: char| int| long)*[ *]+(?:const )?\(?\*?\w+")
NOT_DROPPED = re.compile(r"(?:return|break|continue|goto|CHECK|PANIC|_Static_assert|while|\(void\)|LOG(?:_BURST)?)\b|\(void\)|$")
CONTROL = re.compile(r"(if|while|for|switch)\b\s*\(")
NUMBER = re.compile(r"(?<![\w.])(?:U?INT(?:64|32)_C\(\d+\)|\d+[uUlL]*)(?![\w.])")
RELATION = re.compile(r" (<=|>=|<|>) ")
LEFT_OUT = re.compile(r"CHECK|_Static_assert|LOG(?:_BURST)?\b|DLOG|(?:map_|arena_)?(?:free|release)\(|\w+_free\(|json_close\(")
LOG_LINE = re.compile(r"\s*LOG(?:_BURST)?\(")
PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    function: str
    kind: str
    what: str  # the piece of text, in one line
    line: int
    start: int
    end: int
    before: str  # inserted at start and end, with # for the mutant's number
    after: str
    place: int = 1  # among equal ones of a function

    @property
    def name(self):
        return f"{self.path}: {self.function}: {self.kind}: {self.what}" + (f" #{self.place}" if self.place > 1 else "")


def code_only(text):
    """Comments and the preprocessor's lines blanked, strings and characters made of quotes only, byte for byte."""
    return COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", match.group()[0] if match.group()[0] in "\"'" else " ", match.group()), text)


def closing(code, at):
    """Where the bracket that opens at `at` closes."""
    depth = 0
    for index in range(at, len(code)):
        if code[index] in PAIRS:
            depth += 1
        elif code[index] in PAIRS.values():
            depth -= 1
            if depth == 0:
                return index
    raise ValueError("a bracket stays open")


def functions(code):
    """(name, start, end) of each body, brackets left out."""
    at = 0
    while match := FUNCTION.search(code, at):
        end = closing(code, match.end() - 1)
        yield match.group(1), match.end(), end
        at = end


def end_of_statement(code, at):
    while code[at] != ";":
        at = closing(code, at) + 1 if code[at] in PAIRS else at + 1
    return at + 1


def statements(code, start, end):
    """(kind, start, end) of conditions ("if" and so on, without their parentheses) and of simple statements, in order."""
    at = start
    while at < end:
        if code[at].isspace() or code[at] in "{};":
            at += 1
        elif match := re.compile(r"(?:else|do)\b").match(code, at):
            at = match.end()
        elif match := re.compile(r"(?:case\b[^:;]*|default\s*):").match(code, at):
            at = match.end()
        elif match := CONTROL.match(code, at):
            close = closing(code, match.end() - 1)
            yield match.group(1), match.end(), close
            at = close + 1
        else:
            over = end_of_statement(code, at)
            yield "simple", at, over
            at = over


def guard_end(code, at):
    """Behind `if (…)` stands one statement without an else: its end, or None."""
    while code[at].isspace():
        at += 1
    if code[at] == "{" or CONTROL.match(code, at):
        return None
    over = end_of_statement(code, at)
    return None if re.compile(r"\s*else\b").match(code, over) else over


def operands(code, start, end):
    """(operator, start, end) of each side of each && and ||; the house puts parentheses around one inside the other."""
    found, stack, begin, marks = [], [], start, []

    def close(stop):
        sides = [begin] + [mark + 2 for mark in marks], [*marks, stop]
        if marks:
            found.extend((code[marks[0]:marks[0] + 2], a, b) for a, b in zip(*sides))

    at = start
    while at < end:
        if code[at] in PAIRS:
            stack.append((begin, marks))
            begin, marks = at + 1, []
        elif code[at] in PAIRS.values():
            close(at)
            begin, marks = stack.pop()
        elif code[at:at + 2] in ("&&", "||"):
            marks = [*marks, at]
            at += 1
        elif code[at] in ",;?:" or (code[at] == "=" and code[at + 1] != "=" and code[at - 1] not in "=!<>") or code[at:at + 7] == "return ":
            close(at)
            begin, marks = at + (7 if code[at] == "r" else 1), []
            at = begin - 1
        at += 1
    close(end)
    return found


def trimmed(code, start, end):
    while code[start].isspace():
        start += 1
    while code[end - 1].isspace():
        end -= 1
    return start, end


class Finder:
    def __init__(self, path, text):
        self.path, self.text, self.code, self.found = path, text, code_only(text), []

    def add(self, function, kind, start, end, before, after, whole=None):
        """`whole`: the start and end of what names it, when that is more."""
        shown_start, shown_end = whole or (start, end)
        what = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", self.text[shown_start:shown_end], flags=re.DOTALL)).strip()
        place = 1 + sum(other.function == function and other.kind == kind and other.what == what for other in self.found)
        self.found.append(Mutant(self.path, function, kind, what, self.text.count("\n", 0, start) + 1, start, end, before, after, place))

    def find_in_expressions(self, function, start, end):
        is_declaration = DECLARATION.match(self.code, start) is not None
        for operator, a, b in operands(self.code, start, end):
            a, b = trimmed(self.code, a, b)
            if "PLANTED(" in self.code[a:b]:
                continue
            self.add(function, f"side of {operator} dropped", a, b, *(("(MUTANT(#) || (", "))") if operator == "&&" else ("(!MUTANT(#) && (", "))")))
        moved = set()
        for match in RELATION.finditer(self.code, start, end):
            moved.add(match.end())
            self.add(function, f"moved behind {match.group(1)} in", match.end(), match.end(), "MUTANT(#) + ", "", (start, end))
        for match in NUMBER.finditer(self.code, start, end):
            is_size = is_declaration and self.code[match.start() - 1] == "["
            is_zeroing = self.code[match.start() - 1] == "{" and self.code[match.end()] == "}"
            if match.start() not in moved and not is_size and not is_zeroing:
                self.add(function, f"moved {match.group()} in", match.start(), match.end(), "(MUTANT(#) + ", ")", (start, end))

    def find_in_function(self, function, start, end):
        planted_end = start
        for kind, a, b in statements(self.code, start, end):
            if a < planted_end:
                continue
            if kind == "simple" and LEFT_OUT.match(self.code, a):
                continue
            if kind in ("if", "while") and "PLANTED(" in self.code[a:b]:
                planted_end = guard_end(self.code, b + 1) or b
                continue
            if kind == "if" and LOG_LINE.match(self.code, b + 1):
                continue
            if kind in ("if", "while"):
                self.add(function, "negated", a, b, "MUTANT(#) ^ !!(", ")")
            over = guard_end(self.code, b + 1) if kind == "if" else None
            if over is not None:
                self.add(function, "guard dropped", a, b, "!MUTANT(#) && (", ")")
            if kind == "simple" and not DECLARATION.match(self.code, a) and not NOT_DROPPED.match(self.code, a):
                self.add(function, "dropped", a, b, "if (MUTANT(#)) {} else ", "")
            if kind != "switch":
                self.find_in_expressions(function, a, b)

    def find(self):
        for function, start, end in functions(self.code):
            if not function.endswith("_free"):
                self.find_in_function(function, start, end)
        return self.found


def find(path, text):
    return Finder(path, text).find()


def write(text, numbered):
    """The text with every mutant of {number: mutant} asleep in it, line for line."""
    edits = []
    for number, mutant in numbered.items():
        size = mutant.end - mutant.start
        # Where several meet, what closes comes before what opens, and the larger piece is outside.
        edits.append((mutant.start, 1, -size, -number if size else 0, mutant.before.replace("#", str(number))))
        if mutant.after:
            edits.append((mutant.end, 0, size, number, mutant.after))
    out, at = [HEADER], 0
    for position, _, _, _, piece in sorted(edits):
        out += [text[at:position], piece]
        at = position
    return "".join([*out, text[at:]])


def without_lines(numbered, lines):
    """What the compiler complained of goes: every mutant that begins on one of these lines."""
    return {number: mutant for number, mutant in numbered.items() if mutant.line not in lines}
