"""A sign-in service on loopback: Microsoft's device code and token endpoints, Google's consent page and token
endpoint, and the endpoint that tells a mail server whose a token is (as Dovecot's tokeninfo_url asks).

    with signin_server(certificate) as service:
        service.approve("ann@example.org")     # the person enters the device code, or presses Allow
        service.expire_all()                    # every access token is at its end
        service.says = ("invalid_grant", "AADSTS700082: …")   # what the token endpoint says from now on
"""

import base64
import json
import secrets
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .certificates import Certificate
from .process import LOOPBACK

LONG = "x" * 3_000
"""Microsoft's refresh tokens are so long."""


@dataclass(slots=True)
class SignIn:
    """What is valid, and what was asked for. `audience` is that of tokens given from now on."""

    https: int = 0
    http: int = 0
    user: str | None = None
    audience: str = "imap"
    seconds: int = 3_600
    says: tuple[str, str] | None = None
    status: int = 400
    rotates: bool = True
    access: dict[str, tuple[str, str]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def authority(self) -> str:
        """Where a client finds it."""
        return f"https://localhost:{self.https}"

    @property
    def tokeninfo(self) -> str:
        """Where a mail server asks."""
        return f"http://{LOOPBACK}:{self.http}/tokeninfo?access_token="

    def approve(self, user: str) -> None:
        """A person has signed in as this user."""
        self.user = user

    def expire_all(self) -> None:
        with self.lock:
            self.access.clear()

    def grants(self, kind: str) -> int:
        """How often tokens were asked for by this grant type."""
        return sum(each.get("grant_type") == kind for each in self.asked)

    def granted(self, user: str) -> dict[str, Any]:
        with self.lock:
            access, refresh = (f"canary-{kind}-{secrets.token_hex(8)}" for kind in ("access", "refresh"))
            self.access[access] = (user, self.audience)
            self.secrets += [access, refresh]
            answer = {"token_type": "Bearer", "access_token": access, "expires_in": self.seconds}
            if self.rotates or not self.refresh:
                self.refresh[refresh + LONG] = user
                answer["refresh_token"] = refresh + LONG
            return answer

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What the token endpoint answers."""
        self.asked.append(form)
        if self.says is not None:
            return self.status, {"error": self.says[0], "error_description": self.says[1]}
        match form["grant_type"]:
            case "urn:ietf:params:oauth:grant-type:device_code":
                if self.user is None:
                    return 400, {"error": "authorization_pending"}
                return 200, self.granted(self.user)
            case "authorization_code":
                asked = self.codes.pop(form["code"])
                return 200, self.granted(asked["login_hint"]) | {"scope": asked["scope"]}
            case "refresh_token" if form["refresh_token"] in self.refresh:
                return 200, self.granted(self.refresh[form["refresh_token"]])
        return 400, {"error": "invalid_grant", "error_description": "AADSTS70000: no such grant\r\nTrace ID: 1"}


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        service = self.server.service
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path.endswith("/.well-known/openid-configuration"):
            tenant = url.path.split("/")[1]
            base = f"{service.authority}/{tenant}/oauth2/v2.0"
            self._send(200, {
                "issuer": f"{service.authority}/{tenant}/v2.0",
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "device_authorization_endpoint": f"{base}/devicecode",
            })  # fmt: skip
        elif url.path == "/authorize":
            code = f"canary-code-{secrets.token_hex(8)}"
            service.codes[code] = query
            service.secrets.append(code)
            answer = {"error": "access_denied"} if service.user is None else {"code": code}
            answer["state"] = query["state"]
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{urllib.parse.urlencode(answer)}")
            self.end_headers()
        elif url.path == "/tokeninfo":
            user, audience = service.access.get(query.get("access_token", ""), ("", ""))
            if user and audience == "imap":
                self._send(200, {"email": user, "active": True, "aud": audience})
            else:
                self._send(401, {"error": "invalid_token"})
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        service = self.server.service
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        if basic := self.headers.get("Authorization", "").removeprefix("Basic "):  # RFC 6749, section 2.3.1
            form["client_id"], _, form["client_secret"] = base64.b64decode(basic).decode().partition(":")
        if self.path.endswith("/devicecode"):
            service.asked.append(form)
            device = f"canary-device-{secrets.token_hex(8)}"
            service.secrets.append(device)
            self._send(200, {
                "device_code": device, "user_code": "ABCD-EFGH", "expires_in": 900, "interval": 0,
                "verification_uri": "https://microsoft.com/devicelogin",
            })  # fmt: skip
        else:
            self._send(*service.token(form))

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Not on stderr."""


class _Server(ThreadingHTTPServer):
    service: SignIn


@contextmanager
def signin_server(certificate: Certificate) -> Iterator[SignIn]:
    """The service, on two ports while the context lasts: TLS for clients, plain HTTP for the mail server."""
    service = SignIn()
    with ExitStack() as running:
        servers = [running.enter_context(_Server((LOOPBACK, 0), _Handler)) for _ in range(2)]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key)
        servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
        service.https, service.http = (int(server.server_address[1]) for server in servers)
        for server in servers:
            server.service = service
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
        yield service
