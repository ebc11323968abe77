"""WHIP and WHEP as a peer speaks them (RFC 9725): an offer is posted, the answer taken, the session deleted at the end.

Owns the HTTP and the lines that a story reads. Knows no media library.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# An answer comes at once or not at all; bounds a failure, never a success.
PATIENCE_S = 15


def say(event, **figures):
    """Tells the story what happened, as one line of JSON."""
    print(json.dumps({"event": event, **figures}), flush=True)


class Session:
    """One accepted offer."""

    def __init__(self, address, token, answer):
        self.address = address
        self.token = token
        self.answer = answer

    @classmethod
    def open(cls, endpoint, token, offer):
        """Posts an offer. While there is nothing to watch yet (409, 503) it waits as Retry-After says."""
        until = time.monotonic() + PATIENCE_S
        while True:
            request = urllib.request.Request(endpoint, data=offer.encode(), method="POST")
            request.add_header("Content-Type", "application/sdp")
            if token:
                request.add_header("Authorization", f"Bearer {token}")
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                    if response.status != 201:
                        raise SystemExit(f"{endpoint} answered {response.status}, not 201")
                    address = urllib.parse.urljoin(endpoint, response.headers["Location"])
                    return cls(address, token, response.read().decode())
            except urllib.error.HTTPError as refusal:
                wait = refusal.headers.get("Retry-After")
                if wait is None or time.monotonic() > until:
                    raise SystemExit(f"{endpoint} answered {refusal.code}: {refusal.read().decode()}") from refusal
                time.sleep(min(float(wait), 1.0))

    def delete(self):
        """Ends the session; the story asserts on what the server did then."""
        request = urllib.request.Request(self.address, method="DELETE")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                say("deleted", status=response.status)
        except urllib.error.HTTPError as refusal:
            say("deleted", status=refusal.code)


def arguments(parser):
    """The flags that every peer has."""
    parser.add_argument("role", choices=["publish", "watch"])
    parser.add_argument("--url", required=True, help="the WHIP or WHEP endpoint")
    parser.add_argument("--token", help="the stream key or an access token, sent as Bearer")
    parser.add_argument("--codec", default="VP8", choices=["VP8", "H264"])
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    if not chosen.url.startswith("http://127.0.0.1:") and not chosen.url.startswith("http://[::1]:"):
        sys.exit("peers speak to this machine alone")
    return chosen
