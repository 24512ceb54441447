"""An OpenID Connect issuer on this machine, and the tokens that it signs."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Issuer", "serving"]


class Issuer:
    """Keys and their address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.reads = 0
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, *, algorithm: str = "RS256", key_id: str = "one", **claims: Any) -> str:
        """Sign a token that is good but for the claims given; a claim of None is left out."""
        now = int(time.time())
        said = {"iss": self.address, "aud": "shop", "sub": "ada", "exp": now + 60, **claims}
        payload = {name: value for name, value in said.items() if value is not None}
        key: Any = self._key if algorithm.startswith("RS") else "s" * 32
        return jwt.encode(payload, key, algorithm, headers={"kid": key_id})

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path."""
        self.reads += 1
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        if path == "/keys":
            algorithm = jwt.algorithms.RSAAlgorithm
            public = json.loads(algorithm.to_jwk(self._key.public_key()))
            return {"keys": [public | {"kid": "one", "use": "sig"}]}
        return None


@contextmanager
def serving() -> Iterator[Issuer]:
    """Serve an issuer."""
    issuer: Issuer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.document(self.path)
            self.send_response(404 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield issuer
        server.shutdown()
        thread.join(10)
