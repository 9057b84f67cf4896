"""Who may talk to the page: only a browser on this machine that knows the token, and no other site through it.

The server listens on the loopback address only. Its address holds a random token, so that other users of the machine
and other pages cannot guess it. The Host header must be the loopback address, which defeats names that were pointed at
this machine (DNS rebinding). A request that another site caused is refused by Origin and Sec-Fetch-Site; one that
changes something must name its origin.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: only the page's own files run, nothing is loaded from elsewhere, no other site frames it."""


@dataclass(frozen=True)
class Gate:
    """Decides whether a request is answered.

    Attributes
    ----------
    port : int
        Of the server.
    token : str
        First part of every path.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """What a user opens."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The Host headers of this server."""
        return tuple(f"{name}:{self.port}" for name in (LOOPBACK, "localhost"))

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and reason if a request is refused, else None.

        Parameters
        ----------
        method : str
            GET, HEAD or POST.
        path : str
            Of the address, from its first slash.
        headers : mapping of str to str
        """
        if headers.get("Host", "") not in self.hosts:
            return 421, "The address of this page starts with http://127.0.0.1 or http://localhost."
        token = path.lstrip("/").split("/")[0]
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return 403, "This address lacks the token. Open the address that `review` printed."
        origin = headers.get("Origin")
        ours = {f"http://{host}" for host in self.hosts}
        if (origin is not None and origin not in ours) or (method == "POST" and origin is None):
            return 403, "This request comes from another site."
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return 403, "This request comes from another site."
        return None
