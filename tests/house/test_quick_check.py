"""tests/api/contract/quick.py, by which the API tests go, against jsonschema, which only says why."""
import json
import pathlib
import sys
from decimal import Decimal

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from contract.openapi import Contract  # noqa: E402


A_IS_1 = {"properties": {"a": {"const": 1}}, "required": ["a"]}
SCHEMAS = [
    {"const": 1}, {"const": False}, {"const": [0]}, {"enum": [0, "a"]}, {"type": ["integer", "null"]}, {"minimum": 5}, {"not": {"type": "object"}},
    {"oneOf": [{"type": "integer"}, {"minimum": 5}]}, {"oneOf": [A_IS_1, {"required": ["b"], "properties": {"b": True}}], "unevaluatedProperties": False},
    {"if": A_IS_1, "then": {"properties": {"b": True}}, "else": {"properties": {"c": True}}, "unevaluatedProperties": False},
    {"if": A_IS_1, "else": False}, {"allOf": [A_IS_1], "unevaluatedProperties": {"type": "integer"}}, {"allOf": [A_IS_1, {"required": ["b"]}]},
    {"dependentRequired": {"a": ["b"]}}, {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False},
    {"additionalProperties": {"type": "integer"}}, {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, {"items": A_IS_1},
]
VALUES = [None, True, False, 0, 1, 2, 5, 6, Decimal("5.5"), Decimal("1.5"), "a", [], [0], [False], [1], ["a"], [1, 1], [1, "a"], {}, {"a": 1}, {"a": 2}, {"b": 1},
          {"a": 1, "b": 1}, {"a": 1, "b": "x"}, {"a": 2, "b": 1}, {"a": 1, "c": 1}, {"a": 2, "c": 1}, {"c": 1}, {"a": "x"}, {"ab": 1}, {"x": "x"}, {"a": True}, [{"a": 1}, {}]]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_of_a_small_schema_both_say_the_same(schema):
    contract = Contract({"paths": {}, "components": {"schemas": {}}})
    verdicts = [contract.accepts(schema, value) for value in VALUES]
    assert verdicts == [contract.faults(schema, value) == [] for value in VALUES]
    assert len(set(verdicts)) == 2


def test_a_keyword_that_it_does_not_know_is_no_keyword_to_pass_over():
    contract = Contract({"paths": {}, "components": {"schemas": {"odd": {"multipleOf": 2}}}})
    with pytest.raises(NotImplementedError, match="multipleOf"):
        contract.check_schema("odd", 3)


def spoilt(value):
    """The value in many ways a little different, at every depth: another kind, an edge, a member or an item too few or too many."""
    if isinstance(value, dict):
        yield {**value, "unheard_of": 1}
        for name in value:
            yield {key: one for key, one in value.items() if key != name}
            yield from ({**value, name: one} for one in spoilt(value[name]))
    elif isinstance(value, list):
        yield from (value[:-1], value * 1001, value + [None])
        if value:
            yield from ([one] + value[1:] for one in spoilt(value[0]))
    elif isinstance(value, str):
        yield from ("", value + "\n", value * 400, value.swapcase())
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from (0, -1, value + 1, 10 ** 18, str(value))
    yield from (None, True, [], {}, Decimal("1.5"))


@pytest.mark.parametrize("name", ["wallet", "discount"])
def test_the_quick_check_says_what_jsonschema_says(name):
    """Of an example of each answer and each body, right and wrong."""
    contract = Contract.load(f"api/{name}.yaml")
    counts = {True: 0, False: 0}
    shapes = {}
    for media in contract.media_types():
        example = media.get("example", next((contract.resolve(one)["value"] for one in media.get("examples", {}).values()), None))
        if not isinstance(example, str):  # each shape once
            shapes[json.dumps(media["schema"].get("allOf", media["schema"]))] = media["schema"], example
    for schema, example in shapes.values():
        for value in (example, *spoilt(example)):
            accepts = contract.accepts(schema, value)
            assert accepts == (contract.faults(schema, value) == []), value
            counts[accepts] += 1
    assert min(counts.values()) > 100, counts
