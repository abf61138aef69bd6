"""A mail server that prints each message that it takes as a line of JSON."""

import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder, tls = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "secure": session.ssl is not None or tls == "implicit",
            "login": session.auth_data.login.decode() if session.auth_data else None,
            "content": envelope.content.decode(),
        }
        print(json.dumps(message), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"ops", b"hunter2")
    return AuthResult(success=good, auth_data=data)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
options = {"hostname": "127.0.0.1", "port": 0}
if tls == "starttls":
    options |= {"tls_context": context, "require_starttls": True, "auth_required": True}
elif tls == "implicit":
    options |= {"ssl_context": context, "auth_required": True, "auth_require_tls": False}


class Ready(Controller):
    def _trigger_server(self):
        # The port is known only now.
        self.port = self.server.sockets[0].getsockname()[1]
        if self.ssl_context is None:
            super()._trigger_server()


controller = Ready(Handler(), authenticator=authenticate, **options)
controller.start()
print(controller.server.sockets[0].getsockname()[1], flush=True)
# Until the test ends.
sys.stdin.read()
