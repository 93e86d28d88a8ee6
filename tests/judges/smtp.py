"""A mail server for tests: real SMTP by aiosmtpd, which keeps what it took as one JSON file a mail, parsed by Python's own
`email`. Prints its port. With the files of a certificate and its key it wants STARTTLS and a password, with `wrapped` after
them TLS from the first byte. What the local part of a recipient's address is decides how it behaves:

    busy-…      refuses the recipient for now, the first time (451)
    unknown-…   refuses the recipient for good (550)
    full-…      refuses the text for good, after it was handed over (552)
    stall-…     keeps the mail and never answers
    drop-…      keeps the mail and drops the connection without an answer, the first time
"""

import asyncio
import email
import json
import os
import ssl
import sys
from email import policy

from aiosmtpd.smtp import SMTP, AuthResult

folder = sys.argv[1]
certificate = sys.argv[2:4]
wrapped = sys.argv[4:] == ["wrapped"]
number = 0
seen = set()


def first(address):
    """Whether this address is met for the first time."""
    is_first = address not in seen
    seen.add(address)
    return is_first


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown-"):
            return f"550 5.1.1 <{address}>: nobody of that name"
        if address.startswith("busy-") and first(address):
            return "451 4.3.2 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        if to.startswith("full-"):
            return "552 5.2.2 the mailbox is full"
        keep(server, session, envelope)
        if to.startswith("stall-"):
            await asyncio.sleep(3600)
        if to.startswith("drop-") and first(to):
            server.transport.abort()
            await asyncio.sleep(3600)
        return "250 OK"


def keep(server, session, envelope):
    global number
    number += 1
    message = email.message_from_bytes(envelope.content, policy=policy.default)
    part = lambda kind: (message.get_body((kind,)) or email.message.EmailMessage()).get_content() if message.get_body((kind,)) else ""
    mail = {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "headers": [[name, str(value)] for name, value in message.items()],
        "type": message.get_content_type(),
        "text": part("plain"),
        "html": part("html"),
        "defects": [str(defect) for defect in message.defects],
        "tls": server.transport.get_extra_info("ssl_object") is not None,
        "user": session.auth_data and session.auth_data.login.decode(),
    }
    path = os.path.join(folder, f"{number:05}.json")
    with open(path + ".new", "w") as file:
        json.dump(mail, file)
    os.rename(path + ".new", path)


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"bridge" and data.password == b"p@ss+w"
    return AuthResult(success=good, handled=False, auth_data=data)


context = None
if certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)


def server():
    if not certificate:
        return SMTP(Handler(), enable_SMTPUTF8=True)
    by_command = {} if wrapped else {"tls_context": context, "require_starttls": True}
    return SMTP(
        Handler(), enable_SMTPUTF8=True, authenticator=authenticate, auth_required=True, auth_require_tls=not wrapped,
        **by_command,
    )


async def main():
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", 0, ssl=context if wrapped else None)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


asyncio.run(main())
