"""A counter as anybody writes it with StateFun's own Python SDK, unmodified: nothing in it knows of lanes, parts or merges."""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from statefun import (IntType, LongType, RequestReplyHandler, StatefulFunctions, ValueSpec, kafka_egress_message,
                      make_json_type)

ADD = make_json_type("dual/add")
CLOSE = make_json_type("dual/close")
TOPIC = os.environ["RESULTS_TOPIC"]

functions = StatefulFunctions()


@functions.bind("dual/counter", specs=[ValueSpec("count", IntType), ValueSpec("total", LongType)])
def counter(context, message):
    storage = context.storage
    closing = message.is_type(CLOSE)
    if not closing:
        add = message.as_type(ADD)
        storage.count = (storage.count or 0) + 1
        storage.total = (storage.total or 0) + add["by"]
    if closing or add.get("tell"):
        told = {"by": "close" if closing else "add", "count": storage.count or 0, "total": storage.total or 0}
        context.send_egress(kafka_egress_message(typename="dual/results", topic=TOPIC, key=context.address.id, value=json.dumps(told)))


class Host(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # Header and body leave together.
    handler = RequestReplyHandler(functions)

    def do_POST(self):
        reply = self.handler.handle_sync(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
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
