"""Checks HTTP answers against an OpenAPI 3.1 document: what is not in the document must not happen.

    contract = Contract.load("api/wallet.yaml")
    contract.check("GET", "/v1/wallet", 200, headers, body)      # raises ContractViolation

The tests call `check` for every answer they get. It finds the operation, and refuses an undocumented status, header or media type, a body that
breaks its schema (JSON Schema 2020-12), and a problem whose code is not listed for that status. Paths and methods outside of the document
must be answered as its `x-unrouted` says. Given the request's body, it also refuses a 2xx for a body that the document forbids.
"""
import json
import subprocess
import warnings
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from .quick import Quick

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from jsonschema import Draft202012Validator, RefResolver

ROOT = Path(__file__).resolve().parents[3]
METHODS = ("get", "put", "post", "delete", "options", "patch", "trace")
PROBLEM_TYPE = "application/problem+json"


class ContractViolation(AssertionError):
    """An answer that the document does not allow."""


def strict_json(body):
    """Parses what RFC 8259 and I-JSON allow: UTF-8, no member twice, no NaN. A number with a point or an exponent becomes a Decimal, which
    no schema takes for an integer."""
    def members(pairs):
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a member comes twice")
        return result

    def constant(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(body.decode("utf-8"), object_pairs_hook=members, parse_constant=constant, parse_float=Decimal)


def fold_headers(headers):
    """Header fields by lower-case name; from a mapping or from pairs."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    return {str(name).lower(): str(value) for name, value in pairs}


class Contract:
    def __init__(self, document):
        self.document = document
        self._resolver = RefResolver("", document)
        self._quick = Quick(lambda name: self._resolver.resolve(name)[1])
        self._validators = {}  # by the identity of a schema, which lives as long as the document
        self._components = {name: {"$ref": f"#/components/schemas/{name}"} for name in document["components"]["schemas"]}
        # Literal segments before templates: /v1/users/me before /v1/users/{id} (OpenAPI 3.1, section 4.8.8.2).
        self._paths = sorted(document["paths"], key=lambda path: [segment.startswith("{") for segment in path.split("/")])

    @classmethod
    def load(cls, path):
        """Reads a YAML document the way the build does, so that the tests see what is served."""
        path = Path(path) if Path(path).is_absolute() else ROOT / path
        made = subprocess.run([ROOT / "scripts" / "embed", "json", path], check=True, stdout=subprocess.PIPE)
        return cls(json.loads(made.stdout))

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            _, node = self._resolver.resolve(node["$ref"])
        return node

    def operations(self):
        """(method, path, operation) of every operation."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def media_types(self, node=None):
        """Every media type object with a schema, wherever it stands."""
        node = self.document if node is None else node
        if isinstance(node, dict) and isinstance(node.get("content"), dict):
            yield from node["content"].values()
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            if child is not None:
                yield from self.media_types(child)

    def routes(self):
        """{(method, path, scope)} as the route table of the service should have them; "-" is public. `x-route` is the route that serves a
        path where one route serves several."""
        return {(method, self.document["paths"][path].get("x-route", path), operation["x-scope"])
                for method, path, operation in self.operations()}

    def find_path(self, target):
        """The document's path for a request target, or None."""
        segments = urlsplit(target).path.split("/")
        for path in self._paths:
            pattern = path.split("/")
            if len(pattern) == len(segments) and all(
                    want == unquote(got) or (want.startswith("{") and got != "") for want, got in zip(pattern, segments)):
                return path
        return None

    def find_operation(self, method, target):
        """(path, operation); the operation is None when the path does not know the method."""
        path = self.find_path(target)
        if path is None:
            return None, None
        return path, self.document["paths"][path].get("get" if method == "HEAD" else method.lower())

    def check(self, method, target, status, headers, body, request_body=None, request_type="application/json"):
        """Raises ContractViolation unless the document allows this answer. `headers` is a mapping or a list of pairs, `body` is bytes,
        `request_body` is the bytes that were sent, or None."""
        method = method.upper()
        headers = fold_headers(headers)
        path, operation = self.find_operation(method, target)
        where = f"{method} {target} -> {status}"
        response = self._response(where, path, operation, status)
        self._check_headers(where, response.get("headers", {}), headers)
        self._check_body(where, method, response, status, headers, body)
        if operation is not None and 200 <= status < 300:
            self._check_request(where, operation, target, request_body, request_type)

    def check_response(self, answer):
        """The same for an answer of the `requests` library (not for streamed ones)."""
        sent = answer.request.body
        self.check(answer.request.method, answer.request.path_url, answer.status_code, answer.headers, answer.content,
                   request_body=sent.encode() if isinstance(sent, str) else sent if isinstance(sent, bytes) else None,
                   request_type=answer.request.headers.get("Content-Type") or "application/json")

    def check_schema(self, name, instance):
        """Raises ContractViolation unless `instance` fits the component schema."""
        self._validate(f"schema {name}", self._components[name], instance)

    def _response(self, where, path, operation, status):
        if operation is not None:
            responses = operation["responses"]
        else:
            wrong = "405" if path is None else "404"
            responses = {key: value for key, value in self.document["x-unrouted"].items() if key != wrong}
        if str(status) not in responses:
            raise ContractViolation(f"{where}: the status is not documented, only {', '.join(sorted(responses))}")
        return self.resolve(responses[str(status)])

    def _check_headers(self, where, documented, headers):
        for name, header in documented.items():
            header = self.resolve(header)
            value = headers.get(name.lower())
            if value is None:
                if header.get("required"):
                    raise ContractViolation(f"{where}: the header {name} is missing")
                continue
            if header["schema"].get("type") == "integer":
                if not (value.isascii() and value.isdigit()):
                    raise ContractViolation(f"{where}: the header {name} is no integer: {value!r}")
                value = int(value)
            self._validate(f"{where}: the header {name}", header["schema"], value)

    def _check_body(self, where, method, response, status, headers, body):
        content = response.get("content")
        if method == "HEAD" or not content:
            if body:
                raise ContractViolation(f"{where}: there must be no body, but it has {len(body)} bytes")
            if not content:
                return
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in content:
            raise ContractViolation(f"{where}: the content type {headers.get('content-type')!r} is not documented, only {', '.join(content)}")
        if method == "HEAD":
            return
        schema = content[media_type]["schema"]
        if not media_type.endswith("json"):
            if schema.get("type") == "string":
                self._validate(where, schema, body.decode("utf-8"))
            return
        try:
            value = strict_json(body)
        except ValueError as error:
            raise ContractViolation(f"{where}: the body is not strict JSON: {error}") from error
        self._validate(where, schema, value)
        if media_type == PROBLEM_TYPE:
            self._check_problem(where, response, headers, value)

    def _check_problem(self, where, response, headers, problem):
        code = problem["code"]
        if not problem["type"].endswith(f"/problems/{code}"):
            raise ContractViolation(f"{where}: the type {problem['type']!r} does not name the code {code!r}")
        if problem["detail"].rstrip(".").lower() == problem["title"].rstrip(".").lower():
            raise ContractViolation(f"{where}: the detail says no more than the title: {problem['detail']!r}")
        # A kept answer is repeated byte by byte, with the first request's id.
        if "idempotent-replayed" not in headers and problem["request_id"] != headers.get("x-request-id"):
            raise ContractViolation(f"{where}: request_id is {problem['request_id']!r}, X-Request-Id {headers.get('x-request-id')!r}")
        for name in response.get("x-code-headers", {}).get(code, []):
            if name.lower() not in headers:
                raise ContractViolation(f"{where}: the header {name} is missing, which is due with {code}")

    def _check_request(self, where, operation, target, request_body, request_type):
        if "422" in operation["responses"]:
            known = {parameter["name"] for parameter in map(self.resolve, operation.get("parameters", [])) if parameter["in"] == "query"}
            for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True):
                if name not in known:
                    raise ContractViolation(f"{where}: the query parameter {name} was accepted, but is not documented")
        if request_body is not None and "requestBody" in operation:
            media_type = request_type.split(";")[0].strip().lower()
            if media_type != "application/json":
                if media_type not in operation["requestBody"]["content"]:
                    raise ContractViolation(f"{where}: a body of {media_type} was accepted, which is not documented")
                return
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            try:
                value = strict_json(request_body)
            except ValueError as error:
                raise ContractViolation(f"{where}: a request was accepted that is not strict JSON: {error}") from error
            self._validate(f"{where}: a request was accepted that the document forbids", schema, value)

    def _validate(self, where, schema, value):
        if self._quick.accepts(schema, value):
            return
        faults = self.faults(schema, value)
        if not faults:
            raise ContractViolation(f"{where}: contract/quick.py refuses what jsonschema accepts: {value!r}")
        lines = [f"{'/'.join(map(str, fault.absolute_path)) or '(whole)'}: {fault.message}" for fault in faults[:10]]
        raise ContractViolation(f"{where}: " + "; ".join(lines))

    def accepts(self, schema, value):
        """What `check` goes by, for a schema of the document."""
        return self._quick.accepts(schema, value)

    def faults(self, schema, value):
        """All that jsonschema says of it."""
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = Draft202012Validator(schema, resolver=self._resolver)
            self._validators[id(schema)] = validator
        return sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.absolute_path)))
