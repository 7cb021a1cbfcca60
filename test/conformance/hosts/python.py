"""The conformance functions with StateFun's own Python SDK, unmodified. Prints the port it listens on.

Their contract is test/conformance/commands.ts.
"""
import asyncio
import json
import os
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from statefun import (BoolType, DoubleType, FloatType, IntType, LongType, RequestReplyHandler, StatefulFunctions,
                      StringType, ValueSpec, egress_message_builder, kafka_egress_message, message_builder, simple_type)

ACTOR = "conformance/actor"
RESULTS = "conformance/results"
RAW = "conformance/raw"
EXPIRE = timedelta(milliseconds=8000)
TOPIC = os.environ.get("RESULTS_TOPIC", "results")


def json_type(typename):
    return simple_type(typename=typename, serialize_fn=lambda value: json.dumps(value).encode(), deserialize_fn=json.loads)


COMMAND = json_type("conformance/command")
PROFILE = json_type("conformance/profile")
BUILT_IN = {"bool": BoolType, "int": IntType, "long": LongType, "float": FloatType, "double": DoubleType, "string": StringType}

failures = {}
functions = StatefulFunctions()


def from_plain(kind, value):
    """A long is decimal text in JSON."""
    return int(value) if kind in ("long", "big") else value


def to_plain(kind, value):
    return str(value) if kind in ("long", "big") and value is not None else value


def report(context, value):
    context.send_egress(kafka_egress_message(typename=RESULTS, topic=TOPIC, key=context.address.id, value=json.dumps(value)))


def kafka(context, kind, value):
    key, value_type = context.address.id, None
    if kind == "bytes":
        value = bytes.fromhex(value)
    elif kind == "int":
        value_type = IntType
    elif kind == "profile":
        value_type = PROFILE
    elif kind == "keyless":
        key = None
    context.send_egress(kafka_egress_message(typename=RESULTS, topic=TOPIC, key=key, value=value, value_type=value_type))


def fail(mark, times):
    failed = failures.get(mark, 0)
    if failed < times:
        failures[mark] = failed + 1
        raise RuntimeError(f"failure {failed + 1} of {times} at {mark}")


def caller_of(context):
    return context.caller.id if context.caller else None


async def perform(context, tag, operation):
    storage, what = context.storage, operation["do"]
    if what == "set":
        setattr(storage, operation["state"], from_plain(operation["state"], operation["value"]))
    elif what == "delete":
        delattr(storage, operation["state"])
    elif what == "get":
        name = operation["state"]
        report(context, {"tag": tag, "state": name, "value": to_plain(name, getattr(storage, name))})
    elif what == "count":
        storage.count = (storage.count or 0) + 1
    elif what == "caller":
        report(context, {"tag": tag, "caller": caller_of(context)})
    elif what == "report":
        report(context, {"tag": tag})
    elif what == "send":
        context.send(message_builder(ACTOR, operation["id"], value=operation["command"], value_type=COMMAND))
    elif what == "send_value":
        kind = operation["type"]
        value = from_plain(kind, operation["value"])
        context.send(message_builder(ACTOR, operation["id"], value=value, value_type=BUILT_IN[kind]))
    elif what == "after":
        message = message_builder(ACTOR, operation["id"], value=operation["command"], value_type=COMMAND)
        context.send_after(timedelta(milliseconds=operation["ms"]), message, operation.get("token", ""))
    elif what == "cancel":
        context.cancel_delayed_message(operation["token"])
    elif what == "kafka":
        kafka(context, operation["kind"], operation["value"])
    elif what == "raw":
        kind = operation["type"]
        value_type = PROFILE if kind == "profile" else BUILT_IN[kind]
        context.send_egress(egress_message_builder(RAW, from_plain(kind, operation["value"]), value_type))
    elif what == "fail":
        fail(operation["mark"], operation["times"])
    elif what == "hold":
        await asyncio.sleep(operation["ms"] / 1000)
    else:
        raise ValueError(f"unknown operation {what}")


@functions.bind(ACTOR, specs=[
    ValueSpec("flag", BoolType), ValueSpec("whole", IntType), ValueSpec("big", LongType), ValueSpec("small", FloatType),
    ValueSpec("wide", DoubleType), ValueSpec("text", StringType), ValueSpec("profile", PROFILE), ValueSpec("count", IntType),
    ValueSpec("written", IntType, expire_after_write=EXPIRE), ValueSpec("called", IntType, expire_after_call=EXPIRE)])
async def actor(context, message):
    if message.is_type(COMMAND):
        command = message.as_type(COMMAND)
        for operation in command["operations"]:
            await perform(context, command["tag"], operation)
        return
    for kind, value_type in BUILT_IN.items():
        if message.is_type(value_type):
            value = to_plain(kind, message.as_type(value_type))
            report(context, {"type": message.value_typename(), "value": value, "caller": caller_of(context)})
            return
    raise ValueError(f"a message of unknown type {message.value_typename()}")


class Host(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # Header and body leave together.
    handler = RequestReplyHandler(functions)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, reply = 200, self.handler.handle_sync(body)
        except Exception:
            status, reply = 500, b""
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
server.daemon_threads = True
print(f"listening {server.server_address[1]}", flush=True)
server.serve_forever()
