"""The yes or no of JSON Schema 2020-12, for the keywords that the documents use: jsonschema says what is wrong with a value, but takes a millisecond for
one that is right, as nearly all are. (fastjsonschema, which Debian has, knows no draft after 7, and so no unevaluatedProperties.) Each schema becomes
functions once. A test compares the two.

A function takes a value and `seen`, a set of the members that were looked at (`unevaluatedProperties` asks for it), or None when nobody asks.
"""
import re
from decimal import Decimal

KINDS = {"object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),), "integer": (int,), "number": (int, float, Decimal)}
NUMBERS = frozenset(KINDS["number"])
SILENT = {"description", "title", "default", "example", "examples", "format", "deprecated", "readOnly", "writeOnly"}


def _same(one, other):
    """As JSON has it: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return one == other


def _type(quick, names, schema):
    kinds = frozenset(kind for name in ([names] if isinstance(names, str) else names) for kind in KINDS[name])
    return lambda value, seen: type(value) in kinds


def _enum(quick, values, schema):
    return lambda value, seen: any(_same(value, one) for one in values)


def _pattern(quick, text, schema):
    search = re.compile(text).search
    return lambda value, seen: type(value) is not str or search(value) is not None


def _dependent_required(quick, needs, schema):
    return lambda value, seen: type(value) is not dict or all(value.keys() >= set(names) for name, names in needs.items() if name in value)


def _required(quick, names, schema):
    names = frozenset(names)
    return lambda value, seen: type(value) is not dict or value.keys() >= names


def _fits(member, value, name, seen):
    if not member(value[name], None):
        return False
    if seen is not None:
        seen.add(name)
    return True


def _properties(quick, properties, schema):
    members = [(name, quick.function(one)) for name, one in properties.items()]

    def check(value, seen):
        if type(value) is dict:
            for name, member in members:
                if name in value and not _fits(member, value, name, seen):
                    return False
        return True
    return check


def _pattern_properties(quick, patterns, schema):
    members = [(re.compile(text).search, quick.function(one)) for text, one in patterns.items()]

    def check(value, seen):
        for name in value if type(value) is dict else ():
            for search, member in members:
                if search(name) and not _fits(member, value, name, seen):
                    return False
        return True
    return check


def _additional_properties(quick, rest, schema):
    known = frozenset(schema.get("properties", ()))
    searches = [re.compile(text).search for text in schema.get("patternProperties", ())]
    member = quick.function(rest)

    def check(value, seen):
        for name in value if type(value) is dict else ():
            is_other = name not in known and not any(search(name) for search in searches)
            if is_other and not _fits(member, value, name, seen):
                return False
        return True
    return check


def _prefix_items(quick, schemas, schema):
    members = [quick.function(one) for one in schemas]
    return lambda value, seen: type(value) is not list or all(member(one, None) for member, one in zip(members, value))


def _items(quick, one, schema):
    first = len(schema.get("prefixItems", ()))
    member = quick.function(one)
    return lambda value, seen: type(value) is not list or all(member(each, None) for each in value[first:])


def _all_of(quick, schemas, schema):
    return _joined([quick.function(one) for one in schemas])


def _one_of(quick, schemas, schema):
    members = [quick.function(one) for one in schemas]

    def check(value, seen):
        accepted = []
        for member in members:
            own = None if seen is None else set()
            if member(value, own):
                accepted.append(own)
        if len(accepted) != 1:
            return False
        if seen is not None:
            seen |= accepted[0]
        return True
    return check


def _not(quick, one, schema):
    member = quick.function(one)
    return lambda value, seen: not member(value, None)


def _if(quick, condition, schema):
    condition, yes, no = (quick.function(one) for one in (condition, schema.get("then", True), schema.get("else", True)))

    def check(value, seen):
        own = None if seen is None else set()
        if not condition(value, own):
            return no(value, seen)
        if seen is not None:
            seen |= own
        return yes(value, seen)
    return check


def _bound(kinds, fits):
    def rule(quick, bound, schema):
        return lambda value, seen: type(value) not in kinds or fits(value, bound)
    return rule


RULES = {
    "type": _type, "const": lambda quick, value, schema: _enum(quick, [value], schema), "enum": _enum, "required": _required,
    "minimum": _bound(NUMBERS, lambda value, bound: value >= bound), "maximum": _bound(NUMBERS, lambda value, bound: value <= bound),
    "minLength": _bound({str}, lambda value, bound: len(value) >= bound), "maxLength": _bound({str}, lambda value, bound: len(value) <= bound),
    "minItems": _bound({list}, lambda value, bound: len(value) >= bound), "maxItems": _bound({list}, lambda value, bound: len(value) <= bound),
    "minProperties": _bound({dict}, lambda value, bound: len(value) >= bound), "maxProperties": _bound({dict}, lambda value, bound: len(value) <= bound),
    "pattern": _pattern, "dependentRequired": _dependent_required, "properties": _properties, "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties, "prefixItems": _prefix_items, "items": _items, "not": _not, "if": _if,
    "$ref": lambda quick, name, schema: quick.function(quick.resolve(name)), "allOf": _all_of, "oneOf": _one_of,
}
PARTS_OF_OTHERS = {"then", "else", "unevaluatedProperties"}


class Quick:
    """`resolve` gives the schema that a reference names. All schemas live as long as this does."""

    def __init__(self, resolve):
        self.resolve = resolve
        self._functions = {}  # by the identity of the schema

    def accepts(self, schema, value):
        return self.function(schema)(value, None)

    def function(self, schema):
        made = self._functions.get(id(schema))
        if made is None:
            # For a schema that names itself.
            self._functions[id(schema)] = lambda value, seen: self._functions[id(schema)](value, seen)
            made = self._functions[id(schema)] = self._make(schema)
        return made

    def _make(self, schema):
        if isinstance(schema, bool):
            return lambda value, seen: schema
        unknown = schema.keys() - RULES.keys() - PARTS_OF_OTHERS - SILENT
        if unknown:
            raise NotImplementedError(f"keywords that tests/api/contract/quick.py does not know: {', '.join(sorted(unknown))}")
        parts = [make(self, schema[keyword], schema) for keyword, make in RULES.items() if keyword in schema]
        if "unevaluatedProperties" not in schema:
            return parts[0] if len(parts) == 1 else _joined(parts)
        return _with_rest(_joined(parts), self.function(schema["unevaluatedProperties"]))


def _joined(parts):
    def check(value, seen):
        for part in parts:
            if not part(value, seen):
                return False
        return True
    return check


def _with_rest(whole, rest):
    """Members that nothing in `whole` has looked at must fit `rest`."""
    def check(value, seen):
        own = set()
        if not whole(value, own):
            return False
        if type(value) is dict:
            if not all(rest(value[name], None) for name in value if name not in own):
                return False
            if seen is not None:
                seen.update(value)
        return True
    return check
